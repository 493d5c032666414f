// Builds everything: native addon and static programs, TypeScript, and the dashboard's page. Each part only if it is stale.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const bin = name => join(root, 'node_modules/.bin', name);

if (!existsSync(join(root, 'node_modules'))) fail('node_modules is missing; run: npm ci');
run('native', process.execPath, [join(root, 'scripts/build-native.mjs')]);
run('TypeScript', bin('tsc'), ['-p', root]);
run('page', bin('vite'), ['build', '--logLevel', 'warn', '--config', join(root, 'src/dashboard/vite.config.mjs')]);

function run(what, command, args) {
  const started = Date.now();
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) fail(`building ${what} failed${error ? `: ${error.message}` : ''}`);
  console.log(`built ${what} in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

function fail(message) {
  console.error(`build: ${message}`);
  process.exit(1);
}
