/**
 * Tests that make links, rules and mounts run in network and mount namespaces of their own. A test file wraps its tests in
 * `inPrivateNetwork`: outside it registers one test, which runs the same file again under `unshare -n -m`; inside it
 * registers the tests themselves. Whatever they leave behind ends with the namespace.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const marker = 'KEELSON_TEST_NETNS';
const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));

/** @param moduleUrl `import.meta.url` of the test file @param register declares the tests */
export function inPrivateNetwork(moduleUrl: string, register: () => void, timeoutMs = 120_000): void {
  const file = fileURLToPath(moduleUrl);
  if (process.env[marker] === file) {
    register();
    return;
  }
  test(
    'in network and mount namespaces of its own',
    async () => {
      const { code, output } = await runInside(file, timeoutMs - 5_000);
      expect(code, output).toBe(0);
    },
    timeoutMs,
  );
}

function runInside(file: string, timeoutMs: number): Promise<{ code: number | null; output: string }> {
  const up = 'ip link set lo up && exec "$@"';
  const args = [
    '-n',
    '-m',
    '--propagation',
    'private',
    'sh',
    '-c',
    up,
    'sh',
    process.execPath,
    vitest,
    'run',
    '--root',
    root,
    file,
  ];
  const child = spawn('unshare', args, {
    env: { ...process.env, [marker]: file, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
  });
  let output = '';
  child.stdout.on('data', chunk => (output += chunk));
  child.stderr.on('data', chunk => (output += chunk));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', code => resolve({ code, output }));
  });
}
