/**
 * Makes the images of tests, demo and examples as OCI layouts under .cache/images/, from Debian packages and our own
 * programs: no registry is asked. Quick when they are there already.
 *
 *   node scripts/make-images.mjs [NAME…]     busybox, nginx, http-echo; all without a name
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(root, '.cache/images');
/** Part of the stamp: raise it when a recipe changes. */
const version = 1;

const sha256 = data => createHash('sha256').update(data).digest('hex');
const run = (command, args, options = {}) =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], ...options });

/** @type {Record<string, { build: (rootfs: string) => void, config: object }>} */
const images = {
  busybox: {
    build: buildBusybox,
    config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: ['sh'] },
  },
  nginx: {
    build: buildNginx,
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      Cmd: ['nginx', '-g', 'daemon off;'],
      ExposedPorts: { '80/tcp': {} },
      StopSignal: 'SIGQUIT',
    },
  },
  'http-echo': {
    build: buildHttpEcho,
    config: { Entrypoint: ['/http-echo'], ExposedPorts: { '8080/tcp': {} }, User: '65534' },
  },
};

function write(rootfs, path, text, mode = 0o644) {
  mkdirSync(dirname(join(rootfs, path)), { recursive: true });
  writeFileSync(join(rootfs, path), text);
  chmodSync(join(rootfs, path), mode);
}

function addBase(rootfs) {
  write(
    rootfs,
    'etc/passwd',
    'root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/var/www:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n',
  );
  write(rootfs, 'etc/group', 'root:x:0:\nwww-data:x:33:\nnogroup:x:65534:\n');
  mkdirSync(join(rootfs, 'root'), { recursive: true, mode: 0o700 });
  mkdirSync(join(rootfs, 'tmp'), { recursive: true });
  chmodSync(join(rootfs, 'tmp'), 0o1777);
}

function buildBusybox(rootfs) {
  addBase(rootfs);
  mkdirSync(join(rootfs, 'bin'));
  copyFileSync('/bin/busybox', join(rootfs, 'bin/busybox'));
  chmodSync(join(rootfs, 'bin/busybox'), 0o755);
  const applets = run('/bin/busybox', ['--list']).trim().split('\n');
  // a link busybox → busybox would be a loop
  for (const applet of applets) if (applet !== 'busybox') symlinkSync('busybox', join(rootfs, 'bin', applet));
  for (const link of ['usr/bin', 'sbin', 'usr/sbin']) {
    mkdirSync(dirname(join(rootfs, link)), { recursive: true });
    symlinkSync(link.includes('/') ? '../bin' : 'bin', join(rootfs, link));
  }
}

/** Packages that only maintainer scripts need. */
const scriptsOnly =
  /^(debconf|perl-base|adduser|passwd|init-system-helpers|logrotate|lsb-base|dpkg|tar|gcc-\d+-base|mount|util-linux.*|libdebconf.*|cron.*|sysvinit-utils|libsemanage.*|libaudit.*|libpam.*|libdb5.3|libcap-ng0|base-passwd|cdebconf|libmd0|libpopt0|login|sensible-utils|ucf)$/;

function packagesOf(name) {
  const plan = run('apt-get', ['install', '-s', '-o', 'Dir::State::status=/dev/null', '--no-install-recommends', name]);
  const names = [...plan.matchAll(/^Inst (\S+)/gm)].map(match => match[1]);
  return names.filter(item => !scriptsOnly.test(item));
}

const nginxConfig = `worker_processes 1;
error_log /dev/stderr notice;
pid /run/nginx.pid;
events { worker_connections 256; }
http {
  include mime.types;
  access_log /dev/stdout;
  server {
    listen 80 default_server;
    root /usr/share/nginx/html;
    index index.html;
  }
}
`;

const nginxPage =
  '<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head><body><h1>Welcome to nginx!</h1></body></html>\n';

function buildNginx(rootfs) {
  const downloads = mkdtempSync(join(tmpdir(), 'keelson-debs-'));
  try {
    run('apt-get', ['download', '-qq', '-o', 'APT::Sandbox::User=root', ...packagesOf('nginx-light')], {
      cwd: downloads,
    });
    for (const file of readdirSync(downloads)) run('dpkg', ['-x', join(downloads, file), rootfs]);
  } finally {
    rmSync(downloads, { recursive: true, force: true });
  }
  for (const waste of [
    'usr/share/doc',
    'usr/share/man',
    'usr/share/locale',
    'usr/share/lintian',
    'etc/nginx/sites-enabled',
  ])
    rmSync(join(rootfs, waste), { recursive: true, force: true });
  addBase(rootfs);
  write(rootfs, 'etc/nginx/nginx.conf', nginxConfig);
  write(rootfs, 'usr/share/nginx/html/index.html', nginxPage);
  for (const folder of ['run', 'var/log/nginx', 'var/lib/nginx']) mkdirSync(join(rootfs, folder), { recursive: true });
  addShell(rootfs);
}

/** The package brings no shell; people expect one in an image that they exec into. */
function addShell(rootfs) {
  mkdirSync(join(rootfs, 'bin'), { recursive: true });
  copyFileSync('/bin/busybox', join(rootfs, 'bin/busybox'));
  chmodSync(join(rootfs, 'bin/busybox'), 0o755);
  for (const name of [
    'sh',
    'cat',
    'ls',
    'wget',
    'ps',
    'sleep',
    'hostname',
    'id',
    'env',
    'kill',
    'grep',
    'echo',
    'touch',
    'mkdir',
    'rm',
    'ip',
    'nslookup',
  ]) {
    if (!existsSync(join(rootfs, 'bin', name))) symlinkSync('busybox', join(rootfs, 'bin', name));
  }
}

function buildHttpEcho(rootfs) {
  addBase(rootfs);
  run('musl-gcc', [
    '-std=gnu11',
    '-O2',
    '-static',
    '-s',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-o',
    join(rootfs, 'http-echo'),
    join(root, 'test/programs/http-echo.c'),
  ]);
}

/** The same bytes for the same files: sorted, no times, owner root. */
function* walk(rootfs, path = '') {
  for (const name of readdirSync(join(rootfs, path)).sort()) {
    const inner = path === '' ? name : `${path}/${name}`;
    const stat = lstatSync(join(rootfs, inner));
    yield [inner, stat];
    if (stat.isDirectory()) yield* walk(rootfs, inner);
  }
}

function headerOf(rootfs, name, stat) {
  const common = { name, mode: stat.mode & 0o7777, uid: 0, gid: 0, mtime: new Date(0) };
  if (stat.isDirectory()) return { ...common, type: 'directory' };
  if (stat.isSymbolicLink()) return { ...common, type: 'symlink', linkname: readlinkSync(join(rootfs, name)) };
  return { ...common, type: 'file', size: stat.size };
}

async function tarOf(rootfs) {
  const archive = pack();
  const chunks = [];
  archive.on('data', chunk => chunks.push(chunk));
  const ended = new Promise((resolve, reject) => archive.on('end', resolve).on('error', reject));
  for (const [name, stat] of walk(rootfs)) {
    const header = headerOf(rootfs, name, stat);
    archive.entry(header, header.type === 'file' ? readFileSync(join(rootfs, name)) : undefined);
  }
  archive.finalize();
  await ended;
  return Buffer.concat(chunks);
}

function putBlob(layout, data) {
  const hex = sha256(data);
  writeFileSync(join(layout, 'blobs/sha256', hex), data);
  return { digest: `sha256:${hex}`, size: data.length };
}

const json = value => Buffer.from(JSON.stringify(value));

function writeLayout(layout, name, tar, config) {
  mkdirSync(join(layout, 'blobs/sha256'), { recursive: true });
  const layer = putBlob(layout, gzipSync(tar, { level: 6 }));
  const document = {
    created: new Date(0).toISOString(),
    architecture: 'amd64',
    os: 'linux',
    config,
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(tar)}`] },
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...putBlob(layout, json(document)) },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', ...layer }],
  };
  const reference = `localhost/${name}:1`;
  const annotations = { 'org.opencontainers.image.ref.name': reference };
  const entry = {
    mediaType: manifest.mediaType,
    ...putBlob(layout, json(manifest)),
    platform: { os: 'linux', architecture: 'amd64' },
    annotations,
  };
  writeFileSync(
    join(layout, 'index.json'),
    json({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [entry] }),
  );
  writeFileSync(join(layout, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }));
}

/** What the image is made of; another recipe or program makes it anew. */
function stampOf(name) {
  const source = name === 'http-echo' ? sha256(readFileSync(join(root, 'test/programs/http-echo.c'))) : '';
  return `${version} ${source}`.trim();
}

function isThere(name) {
  const stamp = join(cache, name, '.stamp');
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === stampOf(name);
}

async function make(name) {
  const { build, config } = images[name];
  const work = mkdtempSync(join(tmpdir(), 'keelson-image-'));
  try {
    const [rootfs, layout] = [join(work, 'rootfs'), join(cache, `.${name}.${process.pid}`)];
    mkdirSync(rootfs);
    build(rootfs);
    writeLayout(layout, name, await tarOf(rootfs), config);
    writeFileSync(join(layout, '.stamp'), stampOf(name));
    rmSync(join(cache, name), { recursive: true, force: true });
    renameSync(layout, join(cache, name));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(images);
const unknown = names.find(name => !images[name]);
if (unknown !== undefined) {
  process.stderr.write(`Unknown image "${unknown}": expected ${Object.keys(images).join(', ')}.\n`);
  process.exit(1);
}
process.umask(0o022);
mkdirSync(cache, { recursive: true });
for (const name of names) {
  if (!isThere(name)) await make(name);
  process.stdout.write(`localhost/${name}:1 ${join(cache, name)}\n`);
}
