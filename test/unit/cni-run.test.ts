/** A foreign plugin that does not behave: it is ended with what it has started, and told of by name. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { runPlugin } from '../../cni/run.js';
import { processStartTime } from '../../src/base/process-lock.js';

const folder = mkdtempSync(join(tmpdir(), 'kt-run-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (type: string, body: string, timeoutMs = 10_000) => {
  writeFileSync(join(folder, type), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  const what = { command: 'ADD', type, network: 'net', binDirs: [folder], environment: {}, config: {} } as const;
  return runPlugin({ ...what, timeoutMs });
};
const started = (type: string) => Number(readFileSync(join(folder, `${type}.pid`), 'utf8'));
const lives = (pid: number) => processStartTime(pid) !== undefined;
/** In a session of its own: no signal to the group reaches it, and it keeps the output open. */
const escapes = (type: string) => `setsid sh -c 'echo $$ > ${folder}/${type}.pid; exec sleep 100' &
while ! [ -s ${folder}/${type}.pid ]; do sleep 0.01; done`;

test('one that hangs is killed with its children, and the error says who and how long', async () => {
  const began = Date.now();
  const hanging = run('hanging', `sleep 100 & echo $! > ${folder}/hanging.pid; echo waiting >&2; wait`, 300);
  await expect(hanging).rejects.toThrow(
    'plugin type="hanging" name="net" failed (add): no answer in 0.3 s; it said: waiting',
  );
  expect(Date.now() - began).toBeLessThan(5000);
  await expect.poll(() => lives(started('hanging'))).toBe(false);
});

test('one whose child keeps the output open and cannot be reached is not waited for', async () => {
  await expect(run('fleeing', `${escapes('fleeing')}\nexec sleep 100`, 2000)).rejects.toThrow('no answer in 2 s');
  process.kill(started('fleeing'), 'SIGKILL');
});

test('one that answers and leaves something behind has answered', async () => {
  expect(await run('leaving', `${escapes('leaving')}\necho '{"ips":[]}'`)).toEqual({ ips: [] });
  process.kill(started('leaving'), 'SIGKILL');
});
