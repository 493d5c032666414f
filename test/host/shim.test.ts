import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { askShim } from '../../agent/containers/attach.js';
import { socketOf } from '../../agent/containers/streams.js';
import { FrameDecoder } from '../../agent/containers/wire.js';
import { spawnProgram } from '../../native/index.js';
import { ContainerRig } from '../helpers/container-rig.js';

const magic = Buffer.from('KSHIM01\n');

function record(key: number, value: Uint8Array, length = value.length): Buffer {
  const header = Buffer.alloc(6);
  header.writeUInt16LE(key, 0);
  header.writeUInt32LE(length, 2);
  return Buffer.concat([header, value]);
}

/** What the shim answers to a configuration. */
async function answerTo(config: Buffer, mode = 'run'): Promise<string> {
  const { process, sockets } = await spawnProgram({
    object: 'shim test',
    program: 'shim',
    args: [mode],
    config,
    sockets: 1,
  });
  const decoder = new FrameDecoder();
  let answer = '';
  for await (const chunk of socketOf(sockets[0]!))
    for (const frame of decoder.push(chunk as Buffer)) answer += frame.type + frame.payload.toString();
  await process.wait();
  process.close();
  return answer;
}

describe('a configuration that is not one stops the shim with a sentence', () => {
  const u32 = (value: number) => Buffer.from([value & 255, (value >> 8) & 255, 0, 0]);
  test.each([
    ['empty', Buffer.alloc(0), /8 bytes to 8 MiB/],
    ['another magic', Buffer.from('KSHIM99\n'), /does not start/],
    ['nothing in it', magic, /no command/],
    ['a cut record', Buffer.concat([magic, Buffer.from([1, 0, 9])]), /record is cut off/],
    ['a cut value', Buffer.concat([magic, record(1, Buffer.from('x\0'), 4096)]), /value is cut off/],
    ['a length of 4 GiB', Buffer.concat([magic, record(1, Buffer.alloc(0), 0xffffffff)]), /value is cut off/],
    ['a string without NUL', Buffer.concat([magic, record(2, Buffer.from('x'))]), /not terminated/],
    ['a string with a NUL inside', Buffer.concat([magic, record(2, Buffer.from('a\0b\0'))]), /not terminated/],
    ['an empty string value', Buffer.concat([magic, record(2, Buffer.alloc(0))]), /not terminated/],
    ['an unknown key', Buffer.concat([magic, record(999, u32(1))]), /unknown key/],
    ['a short number', Buffer.concat([magic, record(9, Buffer.from([1]))]), /4 bytes/],
    ['a mount without target', Buffer.concat([magic, record(10, Buffer.from('\0\0\0\0/a\0'))]), /not terminated/],
    ['a mount without anything', Buffer.concat([magic, record(10, Buffer.from('\0\0'))]), /too short/],
    ['a seccomp program of 3 bytes', Buffer.concat([magic, record(12, Buffer.from('abc'))]), /wrong size/],
    [
      'too many layers',
      Buffer.concat([magic, ...Array.from({ length: 129 }, () => record(8, Buffer.from('/l\0')))]),
      /too many layers/,
    ],
    [
      'too many mounts',
      Buffer.concat([magic, ...Array.from({ length: 513 }, () => record(10, Buffer.from('\0\0\0\0/a\0/b\0')))]),
      /too many mounts/,
    ],
  ])('%s', async (_name, config, message) => {
    expect(await answerTo(config)).toMatch(message);
  });

  test('random bytes never crash it', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const bytes = Buffer.from(Array.from({ length: 60 }, (_, i) => (seed * 7919 * (i + 13)) % 251));
      bytes[1] = 0;
      bytes.fill(0, 3, 6);
      expect(await answerTo(Buffer.concat([magic, bytes]))).toMatch(/^f22 config /);
    }
  });

  test('an unknown mode', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'keelson-shim-'));
    const texts: [number, string][] = [
      [1, 'o'],
      [2, '/x'],
      [4, '/'],
      [5, ''],
      [15, directory],
    ];
    const config = Buffer.concat([magic, ...texts.map(([key, value]) => record(key, Buffer.from(`${value}\0`)))]);
    expect(await answerTo(config, 'dance')).toMatch(/mode must be run or exec/);
    rmSync(directory, { recursive: true });
  });
});

describe('the socket of a running shim', () => {
  test('is private, and garbage costs only its sender', async () => {
    await using rig = await ContainerRig.create();
    const container = await rig.shell('read x; exit 9', { stdin: true });
    const path = join(rig.runDirectory, readdirSync(rig.runDirectory)[0]!);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    for (const garbage of [Buffer.from([0, 255, 255, 255, 255]), Buffer.from('Z\0\0\0\0'), Buffer.alloc(70_000, 73)]) {
      const socket = connect({ path });
      socket.on('error', () => {});
      socket.write(garbage);
      await new Promise(resolve => socket.once('close', resolve).resume());
    }
    expect((await askShim(path, 'Q')).type).toBe('q');
    const client = await rig.runtime.attach(container, { stdin: true, tty: false });
    client.stdin?.write('\n');
    expect(await container.exited()).toMatchObject({ code: 9 });
    client.close();
  });
});

describe('crashes', () => {
  afterEach(() => {
    delete process.env['KEELSON_FAILPOINTS'];
  });

  test('of the shim before the exit record: the container is lost, not a success', async () => {
    await using rig = await ContainerRig.create();
    process.env['KEELSON_FAILPOINTS'] = 'shim.beforeExitRecord=crash';
    const container = await rig.shell('exit 0');
    expect(await container.exited()).toMatchObject({ code: 255, lost: true });
  });
});

test('is small: no dumps, little memory, no descriptors of the agent', async () => {
  await using rig = await ContainerRig.create();
  const container = await rig.shell('exec sleep 1000');
  const { shimPid } = JSON.parse(readFileSync(join(container.directory, 'started.json'), 'utf8')) as {
    shimPid: number;
  };
  const pss = Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${shimPid}/smaps_rollup`, 'utf8'))?.[1]);
  expect(pss).toBeLessThan(400);
  expect(readdirSync(`/proc/${shimPid}/fd`).length).toBeLessThan(16);
  await rig.runtime.signal(container, 9);
  await container.exited();
});
