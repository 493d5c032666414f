/**
 * What cannot work is said in one line with what to do, ends with exit code 1, and leaves nothing half-done: through the
 * command and kubectl, as a user meets it. (What single manifests do wrong: test/cases/manifests.)
 */
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { openPki, type Pki } from '../../src/api/pki.js';
import {
  type Cluster,
  cgroupMount,
  eventually,
  type Result,
  repository,
  sleeper,
  startCluster,
} from '../helpers/cluster.js';

const keelson = join(repository, 'bin/keelson');
const layout = join(repository, '.cache/images/busybox');

let cluster: Cluster;
let folder: string;
beforeAll(async () => {
  cluster = await startCluster();
  folder = mkdtempSync(join(tmpdir(), 'kbad-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await cluster?.[Symbol.asyncDispose]();
});

function run(command: string, ...args: string[]): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, KEELSON_LOG: 'silent' },
    });
    const seen = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        seen[name] += text;
      });
    const timer = setTimeout(() => child.kill('SIGTERM'), 60_000);
    child.once('error', reject);
    child.once('close', code => {
      clearTimeout(timer);
      resolve({ code: code ?? 1, ...seen });
    });
  });
}

const asNobody = (...words: string[]) =>
  run('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', keelson, ...words);
/** In a mount namespace of its own, where a shell command has run first. */
const where = (command: string, ...words: string[]) =>
  run('unshare', '--mount', '--propagation', 'private', 'sh', '-c', `${command} && exec "$@"`, 'sh', keelson, ...words);

/** One line of what is wrong and one of what to do; never a stack. */
function expectSaid({ code, stderr }: Result, what: RegExp, hint: RegExp): void {
  expect(code).toBe(1);
  expect(stderr).toMatch(new RegExp(`^keelson: .*${what.source}.*\n {2}.*${hint.source}.*\n$`));
}

let count = 0;
/** Flags of a node that does not exist yet, and what it would leave. */
function fresh() {
  const name = `bad${process.pid}-${count++}`;
  const place = join(folder, name);
  const [dataDir, runDir] = [join(place, 'data'), join(place, 'run')];
  const flags = ['--isolated', name, '--data-dir', dataDir, '--run-dir', runDir];
  const remains = () => [
    ...(existsSync(dataDir) ? readdirSync(dataDir).filter(file => /^(agent|controller)\.lock$/.test(file)) : []),
    ...(existsSync(runDir) ? readdirSync(runDir) : []),
    ...readdirSync(cgroupMount()).filter(group => group === `keelson-${name}`),
  ];
  mkdirSync(place);
  return { name, dataDir, runDir, flags, remains };
}

describe('starting where it cannot work', () => {
  test('a port in use', async () => {
    const node = fresh();
    expectSaid(
      await run(keelson, 'up', ...node.flags, '--port', String(cluster.port)),
      /port \d+ on 127.0.0.1 is in use/,
      /--port/,
    );
    expect(node.remains()).toEqual([]);
  });

  test('a data directory in use; the node that uses it goes on', async () => {
    const flags = [...cluster.flags, '--port', '1'];
    expectSaid(await run(keelson, 'up', ...flags, '--rm'), /data directory .* is in use by process \d+/, /--data-dir/);
    const controller = await run(keelson, 'controller', '--data-dir', cluster.dataDir, '--run-dir', cluster.runDir);
    expectSaid(controller, /is in use by process \d+/, /stop that one/);
    expectSaid(await run(keelson, 'agent', ...cluster.flags, '--rm'), /is in use by process \d+/, /stop that one/);
    expect(await cluster.kubectl('get', 'nodes')).toMatch(/ Ready /);
    expect(await cluster.enter('ip', 'link', 'show', 'cni0')).toContain('cni0');
  });

  test('a data directory of another version', async () => {
    const node = fresh();
    // a start that fails at the port has made the database
    await run(keelson, 'controller', ...node.flags, '--port', String(cluster.port));
    const database = new BetterSqlite3(join(node.dataDir, 'store.db'));
    database.pragma('user_version = 99');
    database.close();
    const started = await run(keelson, 'up', ...node.flags, '--port', '1');
    expectSaid(
      started,
      /has schema version 99; this program reads version \d+/,
      /use the version of keelson that wrote it/,
    );
    expect(node.remains()).toEqual([]);
  });

  test('a database that is none, a damaged certificate, a file for a directory', async () => {
    const node = fresh();
    mkdirSync(node.dataDir);
    writeFileSync(join(node.dataDir, 'store.db'), 'no database '.repeat(100));
    expectSaid(
      await run(keelson, 'up', ...node.flags, '--port', '1'),
      /store\.db: file is not a database/,
      /put back a backup/,
    );
    rmSync(node.dataDir, { recursive: true });
    mkdirSync(join(node.dataDir, 'pki'), { recursive: true });
    for (const file of ['ca.crt', 'ca.key']) writeFileSync(join(node.dataDir, 'pki', file), 'garbage');
    expectSaid(
      await run(keelson, 'up', ...node.flags, '--port', '1'),
      /pki\/ca\.(crt|key) cannot be read/,
      /put back a backup/,
    );
    rmSync(node.dataDir, { recursive: true });
    writeFileSync(node.dataDir, '');
    expectSaid(
      await run(keelson, 'up', ...node.flags, '--port', '1'),
      /EEXIST/,
      /a file is where a directory is needed/,
    );
    expect(readdirSync(node.runDir)).toEqual([]);
  });

  test('without root', async () => {
    const { flags, dataDir } = fresh();
    expectSaid(await asNobody('up', ...flags), /must run as root/, /sudo/);
    expectSaid(await asNobody('agent', ...flags), /must run as root/, /sudo/);
    expectSaid(await asNobody('controller', ...flags), /EACCES/, /run it as root/);
    expectSaid(await asNobody('image', 'import', layout, '--data-dir', dataDir), /EACCES/, /run it as root/);
    expectSaid(await asNobody('inspect', 'pod', 'x', ...cluster.flags), /EACCES/, /run it as root/);
    expectSaid(await asNobody('token', 'dashboard', '--data-dir', cluster.dataDir), /EACCES/, /run it as root/);
    expect((await asNobody('doctor')).stdout).toMatch(/missing +root +running as user 65534\n +→ sudo/);
  });

  test('without cgroup v2, and with a read-only one', async () => {
    const node = fresh();
    const up = ['up', ...node.flags, '--port', String(cluster.port + 1)];
    const umount = 'umount -R /sys/fs/cgroup';
    expectSaid(await where(umount, ...up), /no cgroup v2 hierarchy is mounted/, /mount -t cgroup2/);
    expect((await where(umount, 'doctor')).stdout).toMatch(/missing +cgroup v2 +not mounted\n +→ .*mount -t cgroup2/);
    const readOnly = `mount -o remount,bind,ro ${cgroupMount()}`;
    expectSaid(await where(readOnly, ...up), /is mounted read-only/, /remount it: mount -o remount,rw/);
    expect((await where(readOnly, 'doctor')).stdout).toMatch(
      /missing +cgroup v2 +\S+ is read-only\n +→ mount -o remount,rw/,
    );
    expect(node.remains()).toEqual([]);
  });

  test('node credentials that are none', async () => {
    const node = fresh();
    const file = join(folder, 'credentials');
    const start = () => run(keelson, 'agent', ...node.flags, '--credentials', file);
    for (const [text, why] of [
      ['a: [', /at line \d+, column \d+/],
      ['{}', /clusters\.0\.cluster\.server: a text is required/],
      ['clusters: [{cluster: {server: x, certificate-authority-data: eA==}}]', /must be a PEM CERTIFICATE in base64/],
    ] as const) {
      writeFileSync(file, text);
      expectSaid(
        await start(),
        new RegExp(`node credentials ${file} cannot be used: .*${why.source}`),
        /kubeconfig of a node/,
      );
    }
    rmSync(file);
    mkdirSync(file);
    expectSaid(await start(), /EISDIR/, /kubeconfig of a node/);
    expect(node.remains()).toEqual([]);
  });

  test('every wrong flag is named with its value and what is allowed', async () => {
    const said = async (...words: string[]) => (await run(keelson, ...words)).stderr;
    for (const [words, what] of [
      [['up', '--port', 'abc'], /--port "abc": must be a whole number from 1 to 65535/],
      [['up', '--port', '0'], /--port "0": must be a whole number from 1 to 65535/],
      [['up', '--isolated', 'A b'], /--isolated "A b": lower-case letters, digits and "-" are allowed/],
      [['up', '--pod-cidr', '10.0.0.0/33'], /--pod-cidr "10\.0\.0\.0\/33": must be an IPv4 range such as/],
      [['up', '--cluster-cidr', 'x'], /--cluster-cidr "x": must be an IPv4 range such as/],
      [['up', '--max-pods', '-3'], /--max-pods "-3": must be a whole number from 1 to 1000/],
      [['agent', '--node-name', 'UPPER'], /--node-name "UPPER": must be a lower-case DNS name/],
      [['doctor', '-o', 'xml'], /argument 'xml' is invalid. Allowed choices are table, json/],
      [['up', '--colour'], /unknown option '--colour'/],
      [['upp'], /unknown command 'upp'\n\(Did you mean up\?\)/],
      [['up', 'here'], /too many arguments for 'up'/],
    ] as const)
      expect(await said(...words)).toMatch(what);
  });
});

test('reset of a directory that is not ours takes away only what is', async () => {
  const node = fresh();
  mkdirSync(node.dataDir);
  mkdirSync(node.runDir);
  for (const file of ['thesis.txt', 'store.db']) writeFileSync(join(node.dataDir, file), '');
  const shown = await run(keelson, 'reset', ...node.flags);
  expect([shown.code, shown.stdout]).toEqual([0, expect.stringContaining(`would remove ${node.dataDir}`)]);
  const { code, stderr } = await run(keelson, 'reset', ...node.flags, '--yes');
  expect([code, stderr]).toEqual([1, expect.stringContaining('it holds what Keelson did not make: thesis.txt')]);
  expect(readdirSync(node.dataDir)).toEqual(['thesis.txt']);
  expect(existsSync(node.runDir)).toBe(false);
});

describe('a full disk', () => {
  test('writes are refused at once with 507, reads go on, and all is well again when there is room', async () => {
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    await run('mount', '-t', 'tmpfs', '-o', 'size=8m', 'none', disk);
    try {
      await using full = await startCluster({ parent: disk, images: [] });
      await full.kubectl('create', 'configmap', 'before', '--from-literal=a=1');
      const filler = join(disk, 'filler');
      await run('dd', 'if=/dev/zero', `of=${filler}`, 'bs=4k');
      writeFileSync(join(folder, 'large'), 'x'.repeat(500_000));
      const refused = () => full.tryKubectl(['create', 'configmap', 'more', `--from-file=${join(folder, 'large')}`]);
      const began = Date.now();
      const { code, stderr } = await refused();
      expect(Date.now() - began).toBeLessThan(8000);
      expect([code, stderr]).toEqual([
        1,
        expect.stringContaining('the disk of the store is full: nothing can be written until there is room again'),
      ]);
      expect(await full.kubectl('get', 'configmap', 'before', '-o', 'name')).toBe('configmap/before\n');
      expect(await full.kubectl('get', '--raw', '/readyz')).toBe('ok');
      rmSync(filler);
      expect(await full.kubectl('create', 'configmap', 'after', '--from-literal=a=1')).toContain('created');
      await full.apply(sleeper('unharmed'));
    } finally {
      await run('umount', disk);
    }
  });

  test('from the beginning', async () => {
    const disk = join(folder, 'tiny');
    mkdirSync(disk);
    await run('mount', '-t', 'tmpfs', '-o', 'size=64k', 'none', disk);
    try {
      const node = fresh();
      const flags = ['--isolated', node.name, '--data-dir', join(disk, 'data'), '--run-dir', node.runDir];
      expectSaid(await run(keelson, 'up', ...flags, '--port', '1'), /(disk|space|SQLITE_)/, /(full|room)/);
      expect(node.remains()).toEqual([]);
    } finally {
      await run('umount', disk);
    }
  });
});

describe('images', () => {
  const files = (directory: string): string[] =>
    existsSync(directory)
      ? readdirSync(directory, { recursive: true, withFileTypes: true })
          .filter(entry => entry.isFile())
          .map(entry => entry.name)
      : [];

  async function refused(source: string, why: RegExp): Promise<void> {
    const { dataDir } = fresh();
    const { code, stdout, stderr } = await run(keelson, 'image', 'import', source, '--data-dir', dataDir);
    expect([code, stdout]).toEqual([1, '']);
    const lines = stderr
      .trim()
      .split('\n')
      .filter(line => line.startsWith('keelson: '));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(why);
    expect(stderr).not.toMatch(/\n\s+at /);
    // no blob, no layer, no name
    expect(files(join(dataDir, 'images')).filter(name => name !== 'lock')).toEqual([]);
  }

  test('what is no image at all', async () => {
    await refused('/no/such/file', /there is no file or directory "\/no\/such\/file"/);
    writeFileSync(join(folder, 'garbage.tar'), 'garbage '.repeat(1000));
    await refused(join(folder, 'garbage.tar'), /garbage\.tar/);
    writeFileSync(join(folder, 'empty.tar'), '');
    await refused(join(folder, 'empty.tar'), /empty\.tar/);
  });

  test('a layout whose blob is not what its digest says, or is cut short', async () => {
    const copy = join(folder, 'layout');
    cpSync(layout, copy, { recursive: true });
    const blobs = join(copy, 'blobs/sha256');
    const [largest = ''] = readdirSync(blobs).sort(
      (a, b) => statSync(join(blobs, b)).size - statSync(join(blobs, a)).size,
    );
    const { size } = statSync(join(blobs, largest));
    truncateSync(join(blobs, largest), size - 100);
    await refused(copy, new RegExp(`${largest.slice(0, 12)}|digest|size`));
    truncateSync(join(blobs, largest), size);
    await refused(copy, /digest/);
  });

  test('names that lead out of an archive', async () => {
    for (const name of ['../escape', '/etc/escape', 'a/../../escape']) {
      const archive = pack();
      archive.entry({ name }, 'x');
      archive.finalize();
      const parts: Buffer[] = [];
      for await (const part of archive) parts.push(part as Buffer);
      writeFileSync(join(folder, 'escape.tar'), Buffer.concat(parts));
      await refused(join(folder, 'escape.tar'), /escape/);
    }
    expect(existsSync('/etc/escape')).toBe(false);
  });
});

describe('frames of the wrong shape', () => {
  let pki: Pki;
  beforeAll(async () => {
    pki = await openPki(join(cluster.dataDir, 'pki'));
    await cluster.apply(sleeper('bystander'));
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/bystander', '--timeout=60s');
  });

  const closing = (socket: WebSocket) =>
    new Promise<[number, string]>(resolve => socket.once('close', (code, reason) => resolve([code, String(reason)])));

  async function linkOf(node: string): Promise<WebSocket> {
    const { certificate, key } = await pki.nodeCertificate(node);
    const socket = new WebSocket(`wss://127.0.0.1:${cluster.port}/link/v1`, { ca: pki.ca, cert: certificate, key });
    socket.on('error', () => {});
    await new Promise((resolve, reject) => socket.once('open', resolve).once('unexpected-response', reject));
    return socket;
  }

  test('close the link that sent them, with a reason, and no other', async () => {
    const hello = JSON.stringify({ t: 'hello', protocol: 1, version: 'x', bootID: 'x' });
    const frames: [(string | Buffer)[], RegExp][] = [
      [['{'], /not JSON/],
      [['[]'], /not an object/],
      [['{"t":"heartbeat","id":1}'], /before hello/],
      [['{"t":"__proto__"}'], /unknown type/],
      [['{"t":"hello","protocol":"1"}'], /protocol must be number/],
      [['{"t":"hello","protocol":9,"version":"x","bootID":"x"}'], /this controller speaks 1/],
      [[hello, hello], /second hello/],
      [[hello, '{"t":"podStatus","id":1}'], /namespace must be string/],
      [[hello, Buffer.of(1, 2)], /at least 5/],
    ];
    for (const [sent, why] of frames) {
      const socket = await linkOf('stranger');
      const closed = closing(socket);
      for (const frame of sent) socket.send(frame);
      const [code, reason] = await closed;
      expect([code, reason]).toEqual([1008, expect.stringMatching(why)]);
    }
    const flood = await linkOf('stranger');
    const cut = closing(flood);
    flood.send('x'.repeat(5 * 1024 * 1024));
    expect((await cut)[0]).toBe(1009);
    expect(await cluster.kubectl('exec', 'bystander', '--', 'echo', 'unharmed')).toBe('unharmed\n');
    expect(cluster.log).not.toContain('link is silent');
  });

  test('of the right shape, but not the business of the node that sends them', async () => {
    const pod = await cluster.get<{ metadata: { uid: string; namespace: string; name: string } }>('pod', 'bystander');
    const secret = { secret: { secretName: 's' }, name: 's' };
    const identity = { namespace: 'default', name: 'bystander', uid: pod.metadata.uid };
    const mirror = (more: object, node = 'stranger') => ({
      t: 'mirror',
      pod: {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'm', namespace: 'default', annotations: { 'kubernetes.io/config.mirror': 'x' } },
        spec: { nodeName: node, containers: [{ name: 'c', image: 'i' }], ...more },
      },
    });
    const event = (about: object) => ({
      t: 'event',
      event: { metadata: { name: 'e', namespace: 'default' }, involvedObject: about },
    });
    const socket = await linkOf('stranger');
    try {
      socket.send(JSON.stringify({ t: 'hello', protocol: 1, version: 'x', bootID: 'x' }));
      const acknowledged = new Map<number, { code: number; message: string } | undefined>();
      socket.on('message', data => {
        const frame = JSON.parse(String(data)) as { t: string; id: number; error?: { code: number; message: string } };
        if (frame.t === 'ack') acknowledged.set(frame.id, frame.error);
      });
      const wrong: object[] = [
        { t: 'podStatus', ...identity, status: { phase: 'Failed' } },
        { t: 'podGone', ...identity },
        mirror({}, cluster.name),
        mirror({ volumes: [secret] }),
        mirror({ serviceAccountName: 'admin' }),
        event({ kind: 'Pod', namespace: 'default', name: 'bystander' }),
        event({ kind: 'Node', name: cluster.name }),
        event({ kind: 'Namespace', name: 'default' }),
        { t: 'node', node: { metadata: { labels: { 'a b': 'c' } } } },
        { t: 'node', node: { status: { capacity: { pods: {} } } } },
        { t: 'event', event: {} },
        { t: 'mirror', pod: {} },
      ];
      for (const [id, frame] of wrong.entries()) socket.send(JSON.stringify({ ...frame, id }));
      await eventually('all are answered', async () => acknowledged.size === wrong.length);
      const accepted = wrong.filter((_, id) => !acknowledged.get(id) || acknowledged.get(id)!.code >= 500);
      expect(accepted).toEqual([]);
      // roles and other labels of Kubernetes are not the node's to give
      const labels = {
        'node-role.kubernetes.io/control-plane': '',
        'node-restriction.kubernetes.io/x': 'y',
        rack: 'r1',
      };
      socket.send(JSON.stringify({ t: 'node', id: 100, node: { metadata: { labels }, status: {} } }));
      await eventually('the node is stored', async () => acknowledged.has(100));
      expect((await cluster.get<{ metadata: { labels: object } }>('node', 'stranger')).metadata.labels).toEqual({
        rack: 'r1',
      });
    } finally {
      socket.terminate();
      await cluster.tryKubectl(['delete', 'node', 'stranger']);
    }
    expect(await cluster.kubectl('get', 'pod', 'bystander')).toMatch(/1\/1 +Running/);
  });

  test('without a certificate of a node there is no link, and no dashboard without its origin', async () => {
    const status = (path: string, options: object) =>
      new Promise<number>(resolve => {
        const socket = new WebSocket(`wss://127.0.0.1:${cluster.port}${path}`, { ca: pki.ca, ...options });
        socket.on('unexpected-response', (_, response) => resolve(response.statusCode ?? 0));
        socket.on('open', () => resolve(101));
        socket.on('error', () => {});
      });
    expect(await status('/link/v1', {})).toBe(403);
    expect(await status('/link/v1', { cert: pki.admin.certificate, key: pki.admin.key })).toBe(403);
    expect(await status('/dashboard/ws', {})).toBe(403);
    expect(await status('/dashboard/ws', { origin: 'https://evil.example' })).toBe(403);
    const page = new WebSocket(`wss://127.0.0.1:${cluster.port}/dashboard/ws`, {
      ca: pki.ca,
      origin: `https://127.0.0.1:${cluster.port}`,
    });
    const closed = closing(page);
    await new Promise(resolve => page.once('open', resolve));
    page.send('{"token":5}');
    expect((await closed)[1]).toMatch(/the first message must be/);
  });
});
