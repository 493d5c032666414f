/**
 * Builds the native part: `keelson.node` and the static programs `pause` and `shim`.
 *
 *   node scripts/build-native.mjs               what changed, through node-gyp, into build/Release
 *   node scripts/build-native.mjs --asan        everything with AddressSanitizer and UBSan, into build-asan
 *   node scripts/build-native.mjs --sources X   lists the sources of addon, pause or shim (asked by binding.gyp)
 *   node scripts/build-native.mjs --program X OUT   compiles one static program with musl (asked by binding.gyp)
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
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

/** Same sources and warnings, but glibc and dynamic: the sanitizers' run-time needs both. */
function buildSanitized() {
  const nodedir = nodeDirectory() ?? fail('Cannot find include/node; name its parent in KEELSON_NODEDIR.');
  const output = join(root, 'build-asan');
  mkdirSync(output, { recursive: true });
  const { include_dir } = createRequire(import.meta.url)('node-addon-api');
  const defines = [
    '-DNAPI_VERSION=9',
    '-DNODE_ADDON_API_CPP_EXCEPTIONS',
    '-DNODE_ADDON_API_DISABLE_DEPRECATED',
    '-D_GNU_SOURCE',
  ];
  const includes = [`-I${join(nodedir, 'include/node')}`, `-I${include_dir}`];
  const common = ['-O1', ...sanitizers, ...warnings];
  run('g++', [
    '-std=gnu++20',
    '-shared',
    '-fPIC',
    ...common,
    ...defines,
    ...includes,
    '-o',
    join(output, 'keelson.node'),
    ...sourcesOf('addon'),
  ]);
  for (const name of ['pause', 'shim']) {
    const sources = sourcesOf(name);
    if (sources.length > 0) run('gcc', ['-std=gnu11', ...common, '-o', join(output, name), ...sources]);
  }
}

const [option, name, output] = process.argv.slice(2);
if (option === '--sources') process.stdout.write(sourcesOf(name).join('\n'));
else if (option === '--program') buildProgram(name, output);
else if (option === '--asan') buildSanitized();
else if (option === undefined) buildRelease();
else fail(`Unknown option "${option}": expected --asan, --sources PART or --program PART OUTPUT.`);
