// `npm run bench`: builds what is stale, then runs the benches (bench/main.ts) with the arguments given.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

// what building says goes to standard error: standard output is the table, or the JSON
run([join(root, 'scripts/build.mjs')], ['ignore', 2, 2]);
// as bin/keelson has it: kernel work waits on pool threads
process.env.UV_THREADPOOL_SIZE ??= '16';
run([join(root, 'dist/bench/main.js'), ...process.argv.slice(2)], ['ignore', 1, 2]);

function run(args, stdio) {
  const { status, error } = spawnSync(process.execPath, args, { cwd: root, stdio });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}
