// Completes package-lock.json after `npm install` on a registry that does not carry every platform's optional packages:
// npm leaves those out of the lock, and `npm ci` then refuses it. Adds them by name and exact version, so that they are
// skipped where they do not fit. Run after every change of dependencies.
import { readFileSync, writeFileSync } from 'node:fs';

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const processors = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64'];

let added = 0;
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const known = [`${path}/node_modules/${name}`, `node_modules/${name}`].some(p => lock.packages[p]?.version);
    if (known || !/^\d/.test(version)) continue;
    const words = name.split(/[/\-_]/);
    const os = systems.find(s => words.includes(s));
    const cpu = processors.find(p => words.some(w => w === p || (p === 'arm' && /^arm(v\d)?$/.test(w))));
    if (!os && !cpu) throw new Error(`${name} of ${path}: for which platform is it?`);
    lock.packages[`node_modules/${name}`] = {
      version,
      ...(cpu && { cpu: [cpu] }),
      ...(entry.dev && { dev: true }),
      optional: true,
      ...(os && { os: [os] }),
      ...(words.some(w => w.endsWith('musl') || w === 'musleabihf') && { libc: ['musl'] }),
    };
    added++;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${added} optional packages added`);
