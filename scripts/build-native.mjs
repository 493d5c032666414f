/**
 * Builds the native part: `keelson.node` and the static programs `pause` and `shim`.
 *
 *   node scripts/build-native.mjs               what changed, through node-gyp, into build/Release
 *   node scripts/build-native.mjs --asan        everything with AddressSanitizer and UBSan, into build-asan
 *   node scripts/build-native.mjs --sources X   lists the sources of addon, pause or shim (asked by binding.gyp)
 *   node scripts/build-native.mjs --program X OUT   compiles one static program with musl (asked by binding.gyp)
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const warnings = ['-Wall', '-Wextra', '-Werror'];
const sanitizers = ['-fsanitize=address,undefined', '-fno-sanitize-recover=undefined', '-fno-omit-frame-pointer', '-g'];

/** @param {'addon' | 'pause' | 'shim'} part @returns {string[]} paths relative to the checkout, sorted */
function sourcesOf(part) {
  const folder = join(root, 'native', part);
  const suffix = part === 'addon' ? '.cc' : '.c';
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter(name => name.endsWith(suffix))
    .sort()
    .map(name => join('native', part, name));
}

/** Runs a command in the checkout and ends this process with its status if it fails. */
function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (error) fail(`Cannot run "${command}": ${error.message}${command === 'musl-gcc' ? '; install musl-tools' : ''}.`);
  if (status !== 0) process.exit(status ?? 1);
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

/** The folder that holds include/node, so that node-gyp has no headers to fetch. */
function nodeDirectory() {
  const beside = dirname(dirname(process.execPath));
  return [process.env.KEELSON_NODEDIR, beside, '/usr'].find(
    path => path && existsSync(join(path, 'include/node/node_api.h')),
  );
}

/** A part without sources yet is left out. */
function buildProgram(name, output) {
  const sources = sourcesOf(name);
  if (sources.length === 0) return;
  run('musl-gcc', [
    '-std=gnu11',
    '-O2',
    '-static',
    '-s',
    '-fstack-protector-strong',
    ...warnings,
    '-o',
    output,
    ...sources,
  ]);
}

function buildRelease() {
  const nodedir = nodeDirectory();
  const gyp = join(root, 'node_modules/node-gyp/bin/node-gyp.js');
  run(process.execPath, [gyp, 'configure', 'build', '--loglevel=warn', ...(nodedir ? [`--nodedir=${nodedir}`] : [])]);
}

/**
 * Same sources and warnings, but glibc and dynamic: the sanitizers' run-time needs both. Object files are kept, and
 * compiled again when they are older than their source or any header.
 */
async function buildSanitized() {
  const nodedir = nodeDirectory() ?? fail('Cannot find include/node; name its parent in KEELSON_NODEDIR.');
  const folder = join(root, 'build-asan');
  mkdirSync(join(folder, 'obj'), { recursive: true });
  const { include_dir } = createRequire(import.meta.url)('node-addon-api');
  const defines = [
    'NAPI_VERSION=9',
    'NODE_ADDON_API_CPP_EXCEPTIONS',
    'NODE_ADDON_API_DISABLE_DEPRECATED',
    '_GNU_SOURCE',
  ];
  const flags = [
    '-std=gnu++20',
    '-fPIC',
    '-O1',
    ...sanitizers,
    ...warnings,
    ...defines.map(define => `-D${define}`),
    `-I${join(nodedir, 'include/node')}`,
    `-I${include_dir}`,
  ];
  const headers = newestOf(readdirSync(join(root, 'native/addon')).filter(file => file.endsWith('.h')));
  const sources = sourcesOf('addon');
  const objectOf = source => join(folder, 'obj', `${basename(source)}.o`);
  const stale = sources.filter(source => timeOf(objectOf(source)) < Math.max(headers, timeOf(join(root, source))));
  const queue = [...stale];
  const compile = async () => {
    for (let source = queue.shift(); source; source = queue.shift())
      await runAside('g++', [...flags, '-c', source, '-o', objectOf(source)]);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, compile));
  const addon = join(folder, 'keelson.node');
  if (stale.length > 0 || !existsSync(addon))
    run('g++', ['-shared', ...sanitizers, '-o', addon, ...sources.map(objectOf)]);
  for (const name of ['pause', 'shim']) {
    const sources = sourcesOf(name);
    if (sources.length > 0)
      run('gcc', ['-std=gnu11', '-O1', ...sanitizers, ...warnings, '-o', join(folder, name), ...sources]);
  }
}

/** Milliseconds; 0 for a file that is not there. */
function timeOf(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function newestOf(headers) {
  return Math.max(...headers.map(header => timeOf(join(root, 'native/addon', header))));
}

/** Like `run`, without waiting for it. */
async function runAside(command, args) {
  const child = spawn(command, args, { cwd: root, stdio: 'inherit' });
  const [status] = await once(child, 'exit');
  if (status !== 0) process.exit(status ?? 1);
}

const [option, name, output] = process.argv.slice(2);
if (option === '--sources') process.stdout.write(sourcesOf(name).join('\n'));
else if (option === '--program') buildProgram(name, output);
else if (option === '--asan') await buildSanitized();
else if (option === undefined) buildRelease();
else fail(`Unknown option "${option}": expected --asan, --sources PART or --program PART OUTPUT.`);
