// Runs the tiers one after another, shows each one's progress, and closes with one line summed over all of them.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const results = join(root, '.cache/results');
const tiers = {
  check: () => plain('check', process.execPath, ['scripts/check.mjs']),
  unit: () => vitest('unit'),
  host: () => vitest('host'),
  e2e: () => vitest('e2e'),
  dashboard: () => vitest('dashboard'),
  lab: () => plain('lab', 'bash', ['scripts/lab.sh', 'test']),
  leftovers: () => plain('leftovers', process.execPath, ['scripts/leftovers.mjs', 'compare']),
};

const asked = process.argv.slice(2);
const unknown = asked.filter(name => !(name in tiers));
if (unknown.length) {
  console.error(`test: no tier "${unknown[0]}"; there are: ${Object.keys(tiers).join(', ')}`);
  process.exit(2);
}
const chosen = asked.length ? asked : Object.keys(tiers);

mkdirSync(results, { recursive: true });
await run(process.execPath, ['scripts/leftovers.mjs', 'record']);
const total = { passed: 0, failed: 0, skipped: 0 };
for (const name of chosen) {
  const started = Date.now();
  console.log(`\n── ${name} ${'─'.repeat(Math.max(0, 70 - name.length))}`);
  const counts = await tiers[name]();
  for (const key of Object.keys(total)) total[key] += counts[key];
  console.log(
    `── ${name}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped in ${((Date.now() - started) / 1000).toFixed(0)} s`,
  );
}
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed > 0 || total.passed === 0 ? 1 : 0);

/** One vitest project; its JSON report is the count. */
async function vitest(name) {
  const report = join(results, `${name}.json`);
  rmSync(report, { force: true });
  const { code } = await run('node_modules/.bin/vitest', [
    'run',
    '--project',
    name,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    '--passWithNoTests',
  ]);
  try {
    const {
      numPassedTests: passed,
      numFailedTests: failed,
      numPendingTests: skipped,
      numTodoTests: todo = 0,
    } = JSON.parse(readFileSync(report, 'utf8'));
    // a suite that could not even load has no failed test, but a failing exit code
    return { passed, failed: failed || (code === 0 ? 0 : 1), skipped: skipped + todo };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

/** A program whose last line is `N passed, N failed, N skipped`. */
async function plain(name, command, args) {
  const { code, output } = await run(command, args);
  const match = [...output.matchAll(/^(\d+) passed, (\d+) failed, (\d+) skipped$/gm)].at(-1);
  if (!match) {
    console.log(`${name}: ended with ${code} and no count`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const [passed, failed, skipped] = match.slice(1).map(Number);
  return { passed, failed: failed || (code === 0 ? 0 : 1), skipped };
}

function run(command, args) {
  return new Promise(resolve => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...(process.stdout.isTTY ? { FORCE_COLOR: '1' } : { NO_COLOR: '1' }) },
    });
    let output = '';
    child.stdout.on('data', part => {
      output += part;
      process.stdout.write(part);
    });
    child.on('close', code => resolve({ code, output }));
  });
}
