import { appendFileSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type LogOptions, readLogs, rotateLog } from '../../agent/containers/logs.js';
import { lastLines, readTerminationMessage } from '../../agent/containers/termination-message.js';

const time = (second: number) => `2026-01-01T00:00:${String(second).padStart(2, '0')}.000000001Z`;
const line = (second: number, text: string, tag = 'F') => `${time(second)} stdout ${tag} ${text}\n`;

function logFile(content = ''): string {
  const directory = mkdtempSync(join(tmpdir(), 'keelson-logs-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, '0.log');
  writeFileSync(path, content);
  return path;
}

async function read(path: string, options: LogOptions = {}, signal?: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of readLogs(path, options, signal)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const three = line(1, 'one') + line(2, 'tw', 'P') + line(2, 'o') + line(3, 'three');

test('a log is what the container wrote; parts are joined', async () => {
  expect(await read(logFile(three))).toBe('one\ntwo\nthree\n');
  expect(await read(logFile(three), { timestamps: true })).toBe(`${time(1)} one\n${time(2)} two\n${time(3)} three\n`);
  expect(await read('/nowhere/0.log')).toBe('');
});

test.each([
  [0, ''],
  [1, 'three\n'],
  [2, 'two\nthree\n'],
  [3, 'one\ntwo\nthree\n'],
  [9, 'one\ntwo\nthree\n'],
])('the last %i lines', async (tailLines, expected) => {
  expect(await read(logFile(three), { tailLines })).toBe(expected);
});

test('the last lines of a long log, across rotated files', async () => {
  const lines = Array.from({ length: 20_000 }, (_, n) => line(n % 60, `line ${n}`));
  const path = logFile(lines.slice(15_000).join(''));
  writeFileSync(`${path}.20260101-000001.000`, lines.slice(0, 9000).join(''));
  writeFileSync(`${path}.20260101-000002.000`, lines.slice(9000, 15_000).join(''));
  for (const tailLines of [1, 4999, 5000, 5001, 11_000, 12_345]) {
    const text = await read(path, { tailLines });
    expect(text.split('\n').length - 1).toBe(tailLines);
    expect(text.startsWith(`line ${20_000 - tailLines}\n`)).toBe(true);
  }
  expect((await read(path)).split('\n').length).toBe(20_001);
});

test('since a time, and no more bytes than asked', async () => {
  expect(await read(logFile(three), { sinceTime: '2026-01-01T00:00:02Z' })).toBe('two\nthree\n');
  expect(await read(logFile(three), { sinceTime: '2026-01-01T01:00:03+01:00' })).toBe('three\n');
  expect(await read(logFile(three), { limitBytes: 6 })).toBe('one\ntw');
});

test('followed across appends and rotation, until the signal', async () => {
  const path = logFile(line(1, 'one'));
  const stop = new AbortController();
  const seen: string[] = [];
  const done = (async () => {
    for await (const chunk of readLogs(path, { follow: true }, stop.signal)) {
      seen.push(...chunk.toString().trim().split('\n'));
      if (seen.length === 1) appendFileSync(path, line(2, 'two'));
      if (seen.length === 2) {
        appendFileSync(path, line(3, 'three'));
        renameSync(path, `${path}.20260101-000000.000`);
        writeFileSync(path, line(4, 'four'));
      }
      if (seen.length === 4) appendFileSync(path, line(5, 'five'));
      if (seen.length === 5) stop.abort();
    }
  })();
  await done;
  expect(seen).toEqual(['one', 'two', 'three', 'four', 'five']);
});

test('a large log is rotated, the oldest goes, and a failed reopening changes nothing', async () => {
  const path = logFile('x'.repeat(100));
  const limits = { maxBytes: 50, maxFiles: 3 };
  const reopen = async () => writeFileSync(path, 'x'.repeat(100));
  expect(await rotateLog(path, reopen, { ...limits, maxBytes: 100 })).toBe(false);
  for (let n = 1; n <= 4; n++) expect(await rotateLog(path, reopen, limits, new Date(n * 1000))).toBe(true);
  expect(readdirSync(join(path, '..')).sort()).toEqual([
    '0.log',
    '0.log.19700101-000003.000',
    '0.log.19700101-000004.000',
  ]);
  await expect(rotateLog(path, () => Promise.reject(new Error('gone')), limits)).rejects.toThrow('gone');
  expect(readdirSync(join(path, '..')).length).toBe(3);
});

test('the termination message: bounded, regular files only, the log when it failed', async () => {
  const logPath = logFile(three);
  const file = join(logPath, '../message');
  const options = { file, logPath, policy: 'FallbackToLogsOnError', failed: true } as const;
  expect(await readTerminationMessage(options)).toBe('one\ntwo\nthree\n');
  expect(await readTerminationMessage({ ...options, policy: 'File' })).toBe('');
  expect(await readTerminationMessage({ ...options, failed: false })).toBe('');
  expect(await readTerminationMessage({ ...options, policy: 'File', file: '/dev/zero' })).toBe('');
  writeFileSync(file, 'm'.repeat(5000));
  expect((await readTerminationMessage(options)).length).toBe(4096);
  expect(Buffer.byteLength(lastLines(line(1, 'x'.repeat(4000)), true))).toBe(2048);
});
