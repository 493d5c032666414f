// Runs the tiers one after another, shows each one's progress, and closes with one line summed over all of them.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What a tier prints that runs beside another. */
class Kept {
  text = '';
  write(part) {
    this.text += part;
  }
}

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const results = join(root, '.cache/results');
const tiers = {
  check: out => plain('check', out, process.execPath, ['scripts/check.mjs']),
  unit: out => vitest('unit', out),
  host: out => vitest('host', out),
  e2e: out => vitest('e2e', out),
  dashboard: out => vitest('dashboard', out),
  lab: out => plain('lab', out, 'bash', ['scripts/lab.sh', 'test']),
  leftovers: out => plain('leftovers', out, process.execPath, ['scripts/leftovers.mjs', 'compare']),
};

const asked = process.argv.slice(2);
const unknown = asked.filter(name => !(name in tiers));
if (unknown.length) {
  console.error(`test: no tier "${unknown[0]}"; there are: ${Object.keys(tiers).join(', ')}`);
  process.exit(2);
}
const chosen = asked.length ? asked : Object.keys(tiers);
/** Its VM has one emulated processor and a kernel of its own: it runs beside the tiers that mostly wait. */
const beside = { lab: 'host' };

mkdirSync(results, { recursive: true });
await run(process.stdout, process.execPath, ['scripts/leftovers.mjs', 'record']);
const total = { passed: 0, failed: 0, skipped: 0 };
const started = new Map();
for (const name of chosen) {
  if (started.has(name)) await started.get(name)();
  else await begin(name, process.stdout)();
}
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed > 0 || total.passed === 0 ? 1 : 0);

/** Starts a tier, and those that run beside it. Its end prints what it had kept and adds its counts. */
function begin(name, out) {
  const since = Date.now();
  out.write(`\n── ${name} ${'─'.repeat(Math.max(0, 70 - name.length))}\n`);
  const ended = tiers[name](out).then(counts => ({ ...counts, seconds: ((Date.now() - since) / 1000).toFixed(0) }));
  for (const other of chosen)
    if (beside[other] === name) {
      console.log(`   (${other} runs beside it, and is shown at its end)`);
      started.set(other, begin(other, new Kept()));
    }
  return async () => {
    const { passed, failed, skipped, seconds } = await ended;
    if (out instanceof Kept) process.stdout.write(out.text);
    console.log(`── ${name}: ${passed} passed, ${failed} failed, ${skipped} skipped in ${seconds} s`);
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
  };
}

/** One vitest project; its JSON report is the count. */
async function vitest(name, out) {
  const report = join(results, `${name}.json`);
  rmSync(report, { force: true });
  const { code } = await run(out, 'node_modules/.bin/vitest', [
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
async function plain(name, out, command, args) {
  const { code, output } = await run(out, command, args);
  const match = [...output.matchAll(/^(\d+) passed, (\d+) failed, (\d+) skipped$/gm)].at(-1);
  if (!match) {
    out.write(`${name}: ended with ${code} and no count\n`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const [passed, failed, skipped] = match.slice(1).map(Number);
  return { passed, failed: failed || (code === 0 ? 0 : 1), skipped };
}

function run(out, command, args) {
  return new Promise(resolve => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...(process.stdout.isTTY ? { FORCE_COLOR: '1' } : { NO_COLOR: '1' }) },
    });
    let output = '';
    child.stdout.on('data', part => {
      output += part;
      out.write(part);
    });
    child.on('close', code => resolve({ code, output }));
  });
}
