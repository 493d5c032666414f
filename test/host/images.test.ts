import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { describe, expect, test } from 'vitest';
import { createImageStore } from '../../agent/images/store.js';
import { ContainerRig } from '../helpers/container-rig.js';

const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');
type Item = Parameters<ReturnType<typeof pack>['entry']>[0] & { readonly content?: string };

async function tarOf(items: readonly Item[]): Promise<Buffer> {
  const archive = pack();
  for (const { content, ...header } of items) archive.entry(header, content ?? '');
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** A state directory that goes away with the test. */
class Store implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'keelson-images-'));
  readonly images = createImageStore(join(this.directory, 'data'));
  readonly layers = join(this.directory, 'data/images/layers');

  /** What an import may leave behind: nothing. */
  get leftovers(): string[] {
    const root = join(this.directory, 'data/images');
    return [
      ...readdirSync(this.layers),
      ...readdirSync(root).filter(name => !['blobs', 'layers', 'index.json'].includes(name)),
    ];
  }
  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

interface LayoutOptions {
  readonly diffIds?: readonly string[];
  readonly name?: string;
  readonly compress?: (tar: Buffer) => Buffer;
}

/** An OCI layout of raw layers. */
function writeLayout(directory: string, layers: readonly Buffer[], options: LayoutOptions = {}): string {
  mkdirSync(join(directory, 'blobs/sha256'), { recursive: true });
  const put = (data: Buffer) => {
    writeFileSync(join(directory, 'blobs/sha256', sha256(data)), data);
    return { digest: `sha256:${sha256(data)}`, size: data.length };
  };
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const diff_ids = options.diffIds ?? layers.map(tar => `sha256:${sha256(tar)}`);
  const config = put(
    json({
      architecture: 'amd64',
      os: 'linux',
      config: { Env: ['A=b'], Cmd: ['/bin/sh'], WorkingDir: '/tmp' },
      rootfs: { diff_ids },
    }),
  );
  const manifest = put(
    json({ schemaVersion: 2, config, layers: layers.map(tar => put((options.compress ?? gzipSync)(tar))) }),
  );
  const annotations = { 'org.opencontainers.image.ref.name': options.name ?? 'localhost/t:1' };
  writeFileSync(join(directory, 'index.json'), json({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }));
  writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  return directory;
}

async function importLayers(store: Store, layers: readonly (readonly Item[])[], options: LayoutOptions = {}) {
  const tars = await Promise.all(layers.map(tarOf));
  const layout = writeLayout(mkdtempSync(join(store.directory, 'layout-')), tars, options);
  const [image] = await store.images.import(layout, {});
  return image!;
}

describe('a good image', () => {
  test('is found by name, id and digest, with its config', async () => {
    using store = new Store();
    const image = await importLayers(store, [
      [
        { name: './bin/', type: 'directory', mode: 0o755 },
        { name: 'bin/x', mode: 0o4755, content: 'x' },
      ],
    ]);
    expect(image).toMatchObject({
      references: ['localhost/t:1'],
      config: { env: ['A=b'], cmd: ['/bin/sh'], workingDir: '/tmp' },
    });
    for (const name of ['localhost/t:1', image.id, image.id.slice(7)])
      expect((await store.images.find(name))?.id).toBe(image.id);
    expect(await store.images.find('localhost/t:2')).toBeUndefined();
    expect(statSync(join(image.layers[0]!, 'bin/x')).mode & 0o7777).toBe(0o4755);
    expect(statSync(join(store.directory, 'data/images')).mode & 0o777).toBe(0o700);
  });

  test('keeps owners, times, links, FIFOs, devices and attributes', async () => {
    using store = new Store();
    const pax = { 'SCHILY.xattr.user.note': 'hi' };
    const image = await importLayers(store, [
      [
        { name: 'd', type: 'directory', mode: 0o1777, uid: 5, gid: 6, mtime: new Date(1000) },
        { name: 'd/f', uid: 7, gid: 8, mtime: new Date(2000), content: 'abc', pax },
        { name: 'd/hard', type: 'link', linkname: './d/f' },
        { name: 'd/soft', type: 'symlink', linkname: '/../../etc/passwd' },
        { name: 'p', type: 'fifo' },
        { name: 'c', type: 'character-device', devmajor: 1, devminor: 3 },
      ],
    ]);
    const [layer] = image.layers;
    expect(statSync(join(layer!, 'd'))).toMatchObject({ uid: 5, gid: 6, mtimeMs: 1000 });
    expect(statSync(join(layer!, 'd/hard'))).toMatchObject({ uid: 7, nlink: 2, mtimeMs: 2000 });
    expect(lstatSync(join(layer!, 'd/soft')).isSymbolicLink()).toBe(true);
    expect(lstatSync(join(layer!, 'p')).isFIFO()).toBe(true);
    expect(lstatSync(join(layer!, 'c')).rdev).toBe(259);
  });

  test('whiteouts and opaque directories hide what is below, as a container sees it', async () => {
    using store = new Store();
    await using rig = await ContainerRig.create();
    const image = await importLayers(store, [
      [
        { name: 'a', type: 'directory', mode: 0o750, uid: 3 },
        { name: 'a/gone', content: '1' },
        { name: 'a/kept', content: '1' },
        { name: 'o', type: 'directory' },
        { name: 'o/old', content: '1' },
        { name: 'swap', type: 'directory' },
        { name: 'swap/old', content: '1' },
      ],
      [
        { name: 'a/.wh.gone', content: '' },
        { name: 'o/new', content: '1' },
        { name: 'o/.wh..wh..opq', content: '' },
        { name: '.wh.swap', content: '' },
        { name: 'swap/new', content: '1' },
      ],
    ]);
    expect(statSync(join(image.layers[1]!, 'a'))).toMatchObject({ uid: 3 });
    expect(statSync(join(image.layers[1]!, 'a')).mode & 0o777).toBe(0o750);
    const container = await rig.shell('ls /a /o /swap | tr "\\n" " "', { layers: [rig.layer, ...image.layers] });
    await container.exited();
    expect(readFileSync(container.request.logPath, 'utf8')).toContain('/a: kept  /o: new  /swap: new');
  });

  test('shares layers; removing the last name frees what nobody uses', async () => {
    using store = new Store();
    const base: Item[] = [{ name: 'base', content: 'b', mtime: new Date(1000) }];
    const one = await importLayers(store, [base, [{ name: 'x', content: 'x' }]], { name: 'localhost/one:1' });
    const two = await importLayers(store, [base], { name: 'localhost/two:1' });
    expect(two.layers[0]).toBe(one.layers[0]);
    expect((await store.images.remove('localhost/one:1')).freedBytes).toBeGreaterThan(0);
    expect(existsSync(one.layers[1]!)).toBe(false);
    expect(existsSync(one.layers[0]!)).toBe(true);
    await store.images.remove('localhost/two:1');
    expect(store.leftovers).toEqual([]);
    await expect(store.images.remove('localhost/two:1')).rejects.toThrow('there is no image');
  });

  test('layers under a container without exit record stay', async () => {
    using store = new Store();
    const image = await importLayers(store, [[{ name: 'x', content: 'x' }]]);
    const attempt = join(store.directory, 'data/pods/u/containers/c/0');
    mkdirSync(attempt, { recursive: true });
    writeFileSync(join(attempt, 'attempt.json'), JSON.stringify({ spec: { layers: image.layers } }));
    await store.images.remove('localhost/t:1');
    expect(existsSync(image.layers[0]!)).toBe(true);
  });

  test('can be imported by several at once', async () => {
    using store = new Store();
    const tar = await tarOf([{ name: 'x', content: 'x' }]);
    const layouts = [1, 2, 3, 4].map(n =>
      writeLayout(join(store.directory, `l${n}`), [tar], { name: `localhost/n:${n}` }),
    );
    await Promise.all(layouts.map(layout => store.images.import(layout, {})));
    expect((await store.images.list()).flatMap(image => image.references).length).toBe(4);
    expect(store.leftovers.filter(name => !name.endsWith('.size')).length).toBe(1);
  });

  test('as OCI tar, docker archive, and from umoci', async () => {
    using store = new Store();
    const tar = await tarOf([{ name: 'x', content: 'x' }]);
    const layout = writeLayout(join(store.directory, 'l'), [tar]);
    execFileSync('tar', ['-C', layout, '-cf', join(store.directory, 'oci.tar'), '.']);
    const [oci] = await store.images.import(join(store.directory, 'oci.tar'), { name: 'from-tar' });
    expect(oci?.references).toEqual(['docker.io/library/from-tar:latest']);

    const archive = join(store.directory, 'docker');
    mkdirSync(archive);
    const config = Buffer.from(
      JSON.stringify({ os: 'linux', config: { Cmd: ['x'] }, rootfs: { diff_ids: [`sha256:${sha256(tar)}`] } }),
    );
    writeFileSync(join(archive, `${sha256(config)}.json`), config);
    mkdirSync(join(archive, 'layer1'));
    writeFileSync(join(archive, 'real.tar'), tar);
    execFileSync('ln', ['-s', '../real.tar', join(archive, 'layer1/layer.tar')]);
    writeFileSync(
      join(archive, 'manifest.json'),
      JSON.stringify([
        { Config: `${sha256(config)}.json`, RepoTags: ['web:2', 'web:latest'], Layers: ['layer1/layer.tar'] },
      ]),
    );
    execFileSync('tar', ['-C', archive, '-czf', join(store.directory, 'docker.tgz'), '.']);
    const [docker] = await store.images.import(join(store.directory, 'docker.tgz'), {});
    expect(docker?.references).toEqual(['docker.io/library/web:2', 'docker.io/library/web:latest']);

    const umoci = (...args: string[]) => execFileSync('umoci', args, { cwd: store.directory, stdio: 'pipe' });
    umoci('init', '--layout', 'u');
    umoci('new', '--image', 'u:1');
    umoci('unpack', '--image', 'u:1', 'bundle');
    writeFileSync(join(store.directory, 'bundle/rootfs/file'), 'from umoci');
    umoci('repack', '--image', 'u:1', '--refresh-bundle', 'bundle');
    mkdirSync(join(store.directory, 'bundle/rootfs/more'));
    rmSync(join(store.directory, 'bundle/rootfs/file'));
    umoci('repack', '--image', 'u:1', 'bundle');
    await expect(store.images.import(join(store.directory, 'u'), {})).rejects.toThrow('--name');
    const [made] = await store.images.import(join(store.directory, 'u'), { name: 'localhost/u:1' });
    expect(made?.layers.length).toBe(2);
    expect(lstatSync(join(made!.layers[1]!, 'file')).isCharacterDevice()).toBe(true);
  });
});

describe('a hostile or broken image is refused whole and leaves nothing', () => {
  const link = (name: string, linkname: string): Item => ({ name, type: 'symlink', linkname });
  const cases: Record<string, { layer: Item[]; message: RegExp }> = {
    'a name with ..': { layer: [{ name: '../x', content: 'x' }], message: /leaves the root/ },
    'a name with .. inside': { layer: [{ name: 'a/../../x', content: 'x' }], message: /leaves the root/ },
    'writing through an absolute link': {
      layer: [link('l', '/tmp'), { name: 'l/x', content: 'x' }],
      message: /not a directory/,
    },
    'writing through a relative link': {
      layer: [link('l', '../../..'), { name: 'l/x', content: 'x' }],
      message: /not a directory/,
    },
    'a whiteout through a link': {
      layer: [link('l', '/tmp'), { name: 'l/.wh.x', content: '' }],
      message: /not a directory/,
    },
    'a hard link out': {
      layer: [{ name: 'h', type: 'link', linkname: '../../../etc/shadow' }],
      message: /leaves the root/,
    },
    'a hard link to an absolute path': {
      layer: [{ name: 'h', type: 'link', linkname: '/etc/shadow' }],
      message: /not a directory|no file of this layer/,
    },
    'a hard link through a link': {
      layer: [link('l', '/etc'), { name: 'h', type: 'link', linkname: 'l/shadow' }],
      message: /not a directory/,
    },
    'a whiteout of ..': { layer: [{ name: 'd/.wh...', content: '' }], message: /names nothing/ },
    'a whiteout with a slash': { layer: [{ name: 'd/.wh.a/b', content: '' }], message: /something below it/ },
    'a whiteout of nothing': { layer: [{ name: '.wh.', content: '' }], message: /names nothing/ },
    'a file over a directory': {
      layer: [
        { name: 'd', type: 'directory' },
        { name: 'd', content: 'x' },
      ],
      message: /would replace a directory/,
    },
    'a path too deep': { layer: [{ name: 'd/'.repeat(200), type: 'directory' }], message: /deeper than/ },
  };
  test.each(Object.entries(cases))('%s', async (_name, { layer, message }) => {
    using store = new Store();
    await expect(importLayers(store, [[{ name: 'ok', content: 'ok' }], layer])).rejects.toThrow(message);
    expect(store.leftovers).toEqual([]);
    expect(await store.images.list()).toEqual([]);
  });

  test('an absolute name lands inside; a file twice is the later one; trusted xattrs are not taken', async () => {
    using store = new Store();
    const image = await importLayers(store, [
      [
        { name: '/abs', content: '1' },
        { name: 'twice', content: '1' },
        { name: 'twice', content: '22' },
        link('s', '/etc/passwd'),
        { name: 's', content: 'mine' },
        { name: 'o', type: 'directory', pax: { 'SCHILY.xattr.trusted.overlay.opaque': 'y' } },
      ],
    ]);
    expect(readFileSync(join(image.layers[0]!, 'twice'), 'utf8')).toBe('22');
    expect(readFileSync(join(image.layers[0]!, 's'), 'utf8')).toBe('mine');
    expect(existsSync(join(image.layers[0]!, 'abs'))).toBe(true);
    expect(
      execFileSync('/bin/sh', ['-c', `getfattr -d -m - ${join(image.layers[0]!, 'o')} 2>/dev/null || true`], {
        encoding: 'utf8',
      }),
    ).not.toContain('opaque');
  });

  test('wrong digests, cut files, a wrong diffID, zstd, sizes that lie', async () => {
    using store = new Store();
    const tar = await tarOf([{ name: 'x', content: 'x'.repeat(100_000) }]);
    const layout = (name: string, options?: LayoutOptions, layer = tar) =>
      writeLayout(join(store.directory, name), [layer], options);
    const blobOf = (path: string, data: Buffer) => join(path, 'blobs/sha256', sha256(data));
    const attempts: [string, RegExp][] = [];

    const flipped = layout('flipped');
    writeFileSync(blobOf(flipped, gzipSync(tar)), gzipSync(Buffer.concat([tar, Buffer.alloc(512)])));
    attempts.push([flipped, /digest/]);
    const cut = layout('cut');
    truncateSync(blobOf(cut, gzipSync(tar)), 100);
    attempts.push([cut, /unexpected end|digest|cut off/]);
    attempts.push([layout('diff', { diffIds: [`sha256:${'0'.repeat(64)}`] }), /digest/]);
    attempts.push([layout('zstd', { compress: () => Buffer.from('28b52ffd00000000', 'hex') }), /zstd/]);
    const huge = Buffer.from(tar);
    huge.write('77777777777\0', 124, 'latin1');
    huge.write('        ', 148, 'latin1');
    huge.write(
      `${huge
        .subarray(0, 512)
        .reduce((a, b) => a + b, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
      'latin1',
    );
    attempts.push([layout('huge', {}, huge), /cut off|more than/]);
    attempts.push([layout('traversal', { diffIds: ['sha256:../../../etc'] }), /64 hex digits/]);
    for (const [path, message] of attempts) await expect(store.images.import(path, {}), path).rejects.toThrow(message);
    expect(store.leftovers).toEqual([]);
  });
});
