// Static checks in one go: types, lint and format, unused code, import directions. Prints one line per check.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkImports } from './check-imports.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const bin = name => join(root, 'node_modules/.bin', name);

const checks = [
  ['types', () => run(bin('tsc'), ['-p', root, '--noEmit', '--incremental', 'false'])],
  [
    'lint and format',
    () => run(bin('biome'), ['ci', '--error-on-warnings', '--colors=off', '--diagnostic-level=warn', root]),
  ],
  ['unused code', () => run(bin('knip'), ['--no-progress'])],
  ['import directions', () => checkImports(root)],
];

let failed = 0;
for (const [name, check] of checks) {
  const started = Date.now();
  const problem = check();
  console.log(`  ${problem ? 'FAILED' : 'ok    '} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  if (problem) {
    failed++;
    console.log(problem);
  }
}
console.log(`${checks.length - failed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);

/** The command's output if it failed, else undefined. */
function run(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 });
  return status === 0 ? undefined : `${stdout}${stderr}`.trim() || `${command} failed`;
}
