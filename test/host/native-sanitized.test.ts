/**
 * The addon under AddressSanitizer and UBSan: a child Node with the sanitizers' library loaded first exercises every
 * call, its error paths, the collector, and environments that end while work is under way.
 */
import { execFile, execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { unifiedRoot } from '../helpers/cgroups.js';

const path = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url));

test('no sanitizer complains', async () => {
  execFileSync(process.execPath, [path('scripts/build-native.mjs'), '--asan'], { stdio: 'pipe' });
  const library = execFileSync('gcc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim();
  const args = ['-n', '-m', '--propagation', 'private', process.execPath, '--expose-gc'];
  const { stdout, stderr } = await promisify(execFile)(
    'unshare',
    [...args, path('test/programs/native-exercise.mjs'), path('build-asan'), unifiedRoot()],
    {
      timeout: 100_000,
      env: { ...process.env, LD_PRELOAD: library, ASAN_OPTIONS: 'detect_leaks=0', UBSAN_OPTIONS: 'print_stacktrace=1' },
    },
  );
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^done \d+ calls\n$/);
}, 240_000);
