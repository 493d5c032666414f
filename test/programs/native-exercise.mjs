/**
 * Calls everything that the addon exports, right and wrong, through the raw binding (no TypeScript needed).
 * usage: node --expose-gc native-exercise.mjs BUILD_DIRECTORY CGROUP_ROOT     (in network namespaces of its own)
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

const [directory, root] = isMainThread ? process.argv.slice(2) : workerData;
const native = createRequire(import.meta.url)(`${directory}/keelson.node`);

class KernelError extends Error {
  constructor(syscall, object, errno, code, hint) {
    super(`${syscall} for ${object}: ${code} (${hint})`);
    Object.assign(this, { syscall, object, errno, code, hint });
  }
}
native.setKernelErrorClass(KernelError);
native.setProgramDirectory(directory);

let calls = 0;
const all = { net: true, ipc: true, uts: true, pid: true };

/** Awaits a call; a KernelError is as good as a value, anything else is not. */
async function call(name, ...args) {
  calls++;
  try {
    return await native[name](...args);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return error;
  }
}

async function lifeOfAPod(cgroup, number) {
  const pod = await call('createSandbox', {
    object: 'pod x',
    cgroup: `${cgroup}/pod${number}`,
    namespaces: all,
    hostname: 'x',
    oomScoreAdj: 900,
    sysctls: [{ name: 'net.ipv4.ip_forward', value: '1' }],
  });
  if (pod instanceof KernelError) throw pod;
  const spec = {
    object: 'pod x',
    netns: `/proc/${pod.pid}/ns/net`,
    hostName: `veth${number}`,
    name: 'eth0',
    bridge: 'br0',
  };
  await call('vethAttach', {
    ...spec,
    addresses: [`10.5.0.${number + 2}/24`],
    gateways: ['10.5.0.1'],
    hairpin: true,
    mtu: 1400,
    ipv6: number % 2 === 0,
  });
  await call('vethAttach', {
    ...spec,
    hostName: `bad${number}`,
    name: 'eth1',
    addresses: ['nonsense'],
    gateways: [],
    ipv6: false,
  });
  await call('netlink', spec.netns, [{ op: 'link.list' }, { op: 'address.list' }, { op: 'route.list' }]);
  const waits = [call('processWait', pod.handle), call('processWait', pod.handle)];
  native.processSignal(pod.handle, 9);
  await Promise.all(waits);
  native.processEnded(pod.handle);
  native.processClose(pod.handle);
  native.processClose(pod.handle);
  await call('cgroupRemove', `${cgroup}/pod${number}`);
}

async function wrongCalls(cgroup) {
  await call('createSandbox', { object: 'x', cgroup: `${cgroup}/w`, namespaces: all, hostname: 'y'.repeat(70) });
  await call('createSandbox', { object: 'x', cgroup: '/dev/null/x', namespaces: all });
  await call('createSandbox', {
    object: 'x',
    cgroup: `${cgroup}/w`,
    namespaces: all,
    sysctls: [{ name: 'no.such', value: '1' }],
  });
  await call('spawnProgram', { object: 'x', program: 'nothing', args: [], config: new Uint8Array(0), sockets: 1 });
  await call('cgroupApply', { root: cgroup, path: '/elsewhere', controllers: ['cpu'], files: [] });
  await call('cgroupApply', { root: cgroup, path: `${cgroup}/w`, controllers: ['cpu'], files: [['cpu.max', 'max']] });
  for (const op of [
    { op: 'nonsense' },
    { op: 'link.delete', name: 'nope' },
    { op: 'address.add', dev: 'br0', address: '1/2/3' },
  ]) {
    await call('netlink', null, [op]);
  }
  await call('netlink', '/proc/1/nope', [{ op: 'link.list' }]);
  await call('netlink', null, [{ op: 'link.set', name: 'a-name-that-is-much-too-long-for-a-link', mtu: 9000 }]);
}

async function programs(cgroup) {
  const spawned = await call('spawnProgram', {
    object: 'x',
    program: 'pause',
    args: ['a', 'b'],
    config: new Uint8Array(5000),
    sockets: 3,
    cgroup: `${cgroup}/p`,
  });
  const adopted = native.processOpen(spawned.pid, spawned.startTime);
  native.processOpen(spawned.pid, 1);
  const waited = call('processWait', adopted.handle);
  await call('cgroupFreeze', `${cgroup}/p`, true);
  await call('cgroupStats', [`${cgroup}/p`, '/nowhere']);
  await call('cgroupPids', `${cgroup}/p`);
  await call('cgroupKill', `${cgroup}/p`);
  await waited;
  const { closeSync } = await import('node:fs');
  for (const fd of spawned.sockets) closeSync(fd);
}

/** Awaits a call that has no reason to fail. */
async function sure(name, ...args) {
  const value = await call(name, ...args);
  if (value instanceof KernelError) throw value;
  return value;
}

/** Files, volumes, mounts (our mount namespace is private), sizes, special files, and the end of all of them. */
async function files() {
  const folder = mkdtempSync(join(tmpdir(), 'keelson-exercise-'));
  const inside = name => join(folder, name);
  const volume = (...names) => ({
    op: 'volume',
    path: inside('volume'),
    files: names.map(path => ({ path, data: Buffer.from(path.repeat(300)), mode: 0o644, owner: 1 })),
    group: 5,
  });
  try {
    await sure('writeFiles', [
      { op: 'directory', path: inside('a/b/c'), mode: 0o755 },
      { op: 'create', path: inside('a/new'), data: '', mode: 0o600 },
      { op: 'write', path: inside('a/new'), data: 'x'.repeat(100_000), mode: 0o600 },
      { op: 'replace', path: inside('a/new'), data: 'y', mode: 0o640 },
      { op: 'sync', path: inside('a') },
      volume('one', 'deep/er/two'),
      volume('deep/three'),
      volume(),
      { op: 'mount', path: inside('mounted'), type: 'tmpfs', options: 'size=1m,mode=700' },
      { op: 'mount', path: inside('mounted'), type: 'tmpfs', options: '' },
      { op: 'write', path: inside('mounted/x'), data: 'x', mode: 0o600 },
      { op: 'unmount', path: inside('mounted') },
      { op: 'unmount', path: inside('mounted') },
    ]);
    for (const op of [
      { op: 'create', path: inside('a/new'), data: '', mode: 0o600 },
      { op: 'write', path: inside('none/x'), data: '', mode: 0o600 },
      { op: 'sync', path: inside('none') },
      { op: 'mount', path: inside('odd'), type: 'nonsense', options: 'a,b=c,,=' },
      { op: 'mount', path: inside('odd'), type: 'tmpfs', options: 'size=wrong' },
      { op: 'volume', path: inside('a/new'), files: [{ path: 'x', data: new Uint8Array(0), mode: 0 }] },
    ])
      await call('writeFiles', [op]);
    native.makeNode(inside('null'), 0o020666, 1, 3);
    native.setXattr(inside('a/new'), 'trusted.keelson', new Uint8Array(64));
    symlinkSync('/nowhere', inside('link'));
    for (let i = 0; i < 200; i++) writeFileSync(join(inside('a/b/c'), `file${i}`), 'z');
    mkdirSync(inside('busy'));
    await sure('writeFiles', [{ op: 'mount', path: inside('busy/tmpfs'), type: 'tmpfs', options: '' }]);
    const sizes = await Promise.all(
      Array.from({ length: 8 }, () => sure('diskUsage', [folder, '/none', inside('link')])),
    );
    if (!(sizes[0][0] > 100_000) || sizes[0][1] !== 0) throw new Error(`diskUsage says ${sizes[0]}`);
    await sure('removeTrees', [inside('link'), inside('none'), inside('busy'), folder]);
    await call('removeTrees', ['/proc/self/status', '']);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Sets of nftables, connections to forget, virtual servers, where this kernel has them: in a network namespace of our own. */
async function netfilter() {
  const table = 'add table ip t; add set ip t s { type ipv4_addr . inet_service; flags interval; };';
  execFileSync('nft', [
    `${table} add map ip t m { type ipv4_addr : ipv4_addr; }; add chain ip t c;
    add map ip t v { type ipv4_addr : verdict; }; add rule ip t c counter`,
  ]);
  const count = 5000;
  const addresses = new Uint8Array(new Uint32Array(count).map((_, i) => i + 1).buffer);
  const change = (op, set, more) => ({ op, set, keySize: 4, keys: addresses, ...more });
  const chains = Array.from({ length: count }, () => 'c');
  await sure('nftElements', 2, 't', [
    change('add', 'm', { valueSize: 4, values: addresses }),
    change('add', 'v', { chains }),
    { op: 'add', set: 's', keySize: 8, keys: new Uint8Array(8), keyEnds: new Uint8Array(8).fill(1) },
  ]);
  const { elements } = await sure('nftCount', 2, 't', ['m', 'v', 's']);
  if (elements[0] !== count || elements[1] !== count) throw new Error(`nftCount says ${elements}`);
  await sure('nftElements', 2, 't', [change('delete', 'v'), { op: 'flush', set: 'm' }]);
  await sure('nftGeneration');
  await call('nftCount', 10, 't', ['m']);
  await call('nftCount', 2, 't', ['nope', 'm']);
  await call('nftElements', 2, 'no-table', [change('add', 'm')]);
  await call('nftElements', 2, 't', [change('delete', 'm')]);
  await call('nftElements', 2, 't', [change('add', 'v', { chains: chains.fill('no-chain') })]);
  await call('conntrackDelete', 2, 17, [
    { address: '10.5.0.1', port: 53, keep: ['10.5.0.2 53'] },
    { port: 1, keep: [] },
  ]);
  await call('conntrackDelete', 10, 17, [{ address: 'nonsense', port: 70_000, keep: ['x'] }]);
  const service = { family: 2, protocol: 6, address: '10.5.0.1', port: 80, mark: 0, scheduler: 'rr', persistence: 0 };
  const destination = { address: '10.5.0.2', port: 80, weight: 1 };
  await call('ipvs', [
    { op: 'service.add', service },
    { op: 'destination.add', service, destination },
  ]);
  await call('ipvs', [{ op: 'service.set', service: { ...service, address: 'nonsense', scheduler: 'x'.repeat(99) } }]);
  await call('ipvsList');
  await call('dummyLink', 'dummy7');
}

/** A program of the kernel decides on devices, also twice in one group. */
async function devices(cgroup) {
  await call('cgroupApply', { root, path: `${cgroup}/d`, controllers: [], files: [] });
  const rules = [
    { type: 'c', major: 1, minor: 3, access: 'rwm' },
    { type: 'b', access: 'm' },
    { type: 'a', access: 'r' },
  ];
  await call('cgroupDevices', `${cgroup}/d`, rules);
  await call(
    'cgroupDevices',
    `${cgroup}/d`,
    Array.from({ length: 2000 }, () => rules[0]),
  );
  await call('cgroupDevices', `${cgroup}/none`, []);
}

/** Handles that nobody closes are closed by the collector. */
async function collected() {
  const descriptors = () => readdirSync('/proc/self/fd').length;
  const before = descriptors();
  for (let i = 0; i < 50; i++) native.processOpen(process.pid, startTime());
  for (let i = 0; i < 10 && descriptors() > before; i++) {
    globalThis.gc();
    await new Promise(resolve => setImmediate(resolve));
  }
  if (descriptors() > before) throw new Error(`Collected handles left ${descriptors() - before} descriptors open.`);
}

function startTime() {
  const stat = createRequire(import.meta.url)('node:fs').readFileSync('/proc/self/stat', 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
}

async function main() {
  const cgroup = `${root}/keelson-exercise-${process.pid}`;
  await call('netlink', null, [
    { op: 'bridge.add', name: 'br0', mac: '02:00:00:00:00:01' },
    { op: 'address.add', dev: 'br0', address: '10.5.0.1/24' },
    { op: 'link.set', name: 'br0', up: true },
    { op: 'vxlan.add', name: 'vx0', id: 1, port: 8472, local: '10.5.0.1', mtu: 1400 },
    { op: 'fdb.replace', dev: 'vx0', mac: '02:00:00:00:00:09', to: '10.5.0.9' },
    { op: 'route.list' },
  ]);
  try {
    for (let round = 0; round < 5; round++) {
      await Promise.all(Array.from({ length: 8 }, (_, i) => lifeOfAPod(cgroup, round * 8 + i)));
    }
    await wrongCalls(cgroup);
    await programs(cgroup);
    await files();
    await netfilter();
    await devices(cgroup);
    await collected();
    // Environments that end idle, with a waiting promise, and with work on the pool.
    for (const state of ['idle', 'waiting', 'working']) {
      const worker = new Worker(new URL(import.meta.url), {
        workerData: [directory, root, state, `${cgroup}/${state}`],
      });
      await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
      await worker.terminate();
    }
  } finally {
    await call('cgroupKill', cgroup);
    await call('cgroupRemove', cgroup);
  }
  process.stdout.write(`done ${calls} calls\n`);
}

async function inWorker([, , state, cgroup]) {
  const { parentPort } = await import('node:worker_threads');
  if (state !== 'idle') {
    const pod = await native.createSandbox({ object: 'w', cgroup, namespaces: { ...all, net: false } });
    native.processWait(pod.handle);
  }
  if (state === 'working') for (let i = 0; i < 20; i++) native.createSandbox({ object: 'w', cgroup, namespaces: all });
  parentPort.postMessage('ready');
  setInterval(() => undefined, 1000);
}

await (isMainThread ? main() : inWorker(workerData));
