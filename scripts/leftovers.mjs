// Before and after a test run: processes, mounts, namespaces, cgroups, links and rules of ours. What is new after it leaked.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const file = join(dirname(fileURLToPath(import.meta.url)), '../.cache/results/before.json');

const probes = {
  processes: () =>
    procs()
      .filter(p => /(^|\/)(pause|shim|keelson)$/.test(p.name) || /dist\/src\/cli\/main\.js/.test(p.command))
      .map(p => `${p.pid} ${p.name} ${p.command}`),
  mounts: () =>
    readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter(line => /keelson/.test(line)),
  'network namespaces': () => [
    ...new Set(
      procs()
        .map(p => link(`/proc/${p.pid}/ns/net`))
        .filter(Boolean),
    ),
  ],
  cgroups: () => cgroups(),
  links: () => Object.keys(interfaces()).filter(name => /^(cni|veth|vxlan|keelson)/.test(name)),
  rules: () => (run('nft', ['list', 'tables']) ?? '').split('\n').filter(line => /keelson/.test(line)),
};

const now = Object.fromEntries(Object.entries(probes).map(([name, probe]) => [name, probe()]));
if (process.argv[2] === 'record') {
  writeFileSync(file, JSON.stringify(now));
  process.exit(0);
}
const before = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
let failed = 0;
for (const [name, found] of Object.entries(now)) {
  const fresh = found.filter(item => !(before[name] ?? []).includes(item));
  if (fresh.length) failed++;
  console.log(`  ${fresh.length ? 'LEFT  ' : 'ok    '} ${name}${fresh.map(item => `\n         ${item}`).join('')}`);
}
console.log(`${Object.keys(now).length - failed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);

function procs() {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(pid => {
      try {
        const name = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
        return [{ pid, name, command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() }];
      } catch {
        return [];
      }
    });
}

function cgroups() {
  const mount = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find(line => line.includes(' - cgroup2 '))
    ?.split(' ')[4];
  return mount ? readdirSync(mount).filter(name => /keelson/.test(name)) : [];
}

function interfaces() {
  return Object.fromEntries(
    readFileSync('/proc/net/dev', 'utf8')
      .split('\n')
      .slice(2)
      .filter(Boolean)
      .map(line => [line.split(':')[0].trim(), true]),
  );
}

function link(path) {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function run(command, args) {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return undefined;
  }
}
