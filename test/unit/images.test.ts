import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../agent/images/config.js';
import { InvalidImageName } from '../../agent/images/contract.js';
import { chainIds } from '../../agent/images/import.js';
import { normalizeReference } from '../../agent/images/reference.js';
import { parsePax, readTar, TarError } from '../../agent/images/tar.js';
import { cleanParts } from '../../agent/images/unpack.js';

const hex = 'a'.repeat(64);

test.each([
  ['nginx', 'docker.io/library/nginx:latest'],
  ['nginx:1.25', 'docker.io/library/nginx:1.25'],
  ['user/app', 'docker.io/user/app:latest'],
  ['localhost/x:1', 'localhost/x:1'],
  ['localhost:5000/x', 'localhost:5000/x:latest'],
  ['registry.k8s.io/pause:3.9', 'registry.k8s.io/pause:3.9'],
  ['index.docker.io/nginx', 'docker.io/library/nginx:latest'],
  [`nginx@sha256:${hex}`, `docker.io/library/nginx@sha256:${hex}`],
  [`a.b/c__d/e-f.g:T_1@sha256:${hex}`, `a.b/c__d/e-f.g:T_1@sha256:${hex}`],
])('%s is %s', (text, expected) => {
  expect(normalizeReference(text)).toBe(expected);
  expect(normalizeReference(expected)).toBe(expected);
});

test.each([
  '',
  'Nginx',
  'a b',
  'x:',
  ':1',
  'x@sha256:12',
  `x@md5:${hex}`,
  'a//b',
  '/a',
  'a/',
  '../a',
  'a..b',
  `x:${'t'.repeat(129)}`,
  hex,
  'x:1:2',
  'x\n',
  'ü',
  'a/-b',
  'https://a/b',
  `x${'y'.repeat(300)}`,
])('%j is no reference', text => {
  expect(() => normalizeReference(text)).toThrow(InvalidImageName);
});

test('names in archives', () => {
  expect(cleanParts('./a//b/.', 'the entry')).toEqual(['a', 'b']);
  expect(cleanParts('/', 'the entry')).toEqual([]);
  for (const bad of ['..', 'a/..', '../a', `${'x'.repeat(256)}/a`])
    expect(() => cleanParts(bad, 'the entry')).toThrow(TarError);
});

test('chain ids name what lies below too', () => {
  const [a, b] = [`sha256:${'1'.repeat(64)}`, `sha256:${'2'.repeat(64)}`];
  expect(chainIds([a])).toEqual(['1'.repeat(64)]);
  expect(chainIds([a, b])[1]).not.toBe(chainIds([b])[0]);
});

describe('tar', () => {
  const bytes = Buffer.from([0, 255, 10, 61, 32]);
  test('PAX values are bytes', () => {
    const record = Buffer.concat([Buffer.from('15 key=ab'), bytes, Buffer.from('\n')]);
    expect(parsePax(record).get('key')).toEqual(Buffer.concat([Buffer.from('ab'), bytes]));
  });
  test.each(['5 a=b', '999 a=b\n', 'x a=b\n', '-3 a=b\n', '0 a=b\n', '6 =ab\n', '5'])('damaged PAX %j', text => {
    expect(() => parsePax(Buffer.from(text))).toThrow(TarError);
  });

  /** A header with a valid checksum. */
  function header(fields: { name?: string; size?: string; type?: string; uid?: string }): Buffer {
    const block = Buffer.alloc(512);
    block.write(fields.name ?? 'x', 0);
    block.write(fields.uid ?? '0000000', 108, 'latin1');
    block.write(fields.size ?? '00000000000', 124, 'latin1');
    block.write('        ', 148);
    block.write(fields.type ?? '0', 156);
    block.write(
      `${block
        .reduce((a, b) => a + b, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    );
    return block;
  }
  async function names(...blocks: Buffer[]): Promise<string[]> {
    const found: string[] = [];
    for await (const entry of readTar(
      (async function* () {
        yield Buffer.concat(blocks);
      })(),
    ))
      found.push(entry.name);
    return found;
  }
  test('reads entries and stops at the end', async () => {
    expect(await names(header({ name: 'a' }), header({ name: 'b' }), Buffer.alloc(1024))).toEqual(['a', 'b']);
    expect(await names()).toEqual([]);
  });
  test.each([
    ['a sparse file', header({ type: 'S' })],
    ['an unknown type', header({ type: 'V' })],
    ['a negative size', header({ size: '\xff'.repeat(12) })],
    ['a size that is none', header({ size: '9999' })],
    ['a body that is missing', header({ size: '00000001000' })],
    ['a PAX header of a gigabyte', header({ type: 'x', size: '10000000000' })],
    ['half a header', Buffer.alloc(100, 1)],
    ['no header', Buffer.alloc(512, 1)],
  ])('%s is refused', async (_name, block) => {
    await expect(names(block)).rejects.toThrow(TarError);
  });
});

describe('the image config', () => {
  const parse = (value: unknown) => parseConfig(Buffer.from(JSON.stringify(value)));
  const rootfs = { diff_ids: [`sha256:${hex}`] };
  test('null and absent parts are empty', () => {
    expect(parse({ rootfs, config: { Env: null, Volumes: { '/v': {} } } }).config).toMatchObject({
      env: [],
      cmd: [],
      volumes: ['/v'],
      workingDir: '',
    });
  });
  test.each([
    [{ rootfs, config: { Env: 'A' } }],
    [{ rootfs, config: { Cmd: [1] } }],
    [{ rootfs, config: { User: 5 } }],
    [{ rootfs, config: { Env: ['a\0b'] } }],
    [{ config: {} }],
    [{ rootfs: { diff_ids: Array(129).fill('x') } }],
    [[]],
    ['x'],
  ])('%j is refused', value => {
    expect(() => parse(value)).toThrow();
  });
});
