/**
 * How much the addon costs above the bare kernel. In network and mount namespaces of its own (it starts itself again
 * under `unshare`), with 1, 100, 500 and 1,000 pods living, it creates and destroys single pods by turns through the
 * addon and through sandbox-floor.c, and prints medians and their ratio.
 *
 *   npm run build && node dist/bench/sandbox.js [--json] [--rounds 30] [--living 1,100,500,1000]
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  cgroupKill,
  cgroupRemove,
  createSandbox,
  type KernelError,
  netlink,
  type Process,
  vethAttach,
} from '../native/index.js';

/** Microseconds. */
interface Sample {
  readonly sandbox: number;
  readonly veth: number;
  readonly destroy: number;
}
interface Row {
  readonly living: number;
  readonly part: string;
  readonly addonUs: number;
  readonly floorUs: number;
  readonly ratio: number;
}

const marker = 'KEELSON_BENCH_NETNS';
const bridge = 'bench0';
const gateway = '10.200.0.1';
const checkout = checkoutAbove(dirname(fileURLToPath(import.meta.url)));

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '30' },
    living: { type: 'string', default: '1,100,500,1000' },
  },
});

if (process.env[marker]) await main();
else process.exitCode = again();

/** The same command inside namespaces of its own. */
function again(): number {
  const args = [
    '-n',
    '-m',
    '--propagation',
    'private',
    process.execPath,
    ...process.execArgv,
    ...process.argv.slice(1),
  ];
  return spawnSync('unshare', args, { stdio: 'inherit', env: { ...process.env, [marker]: '1' } }).status ?? 1;
}

async function main(): Promise<void> {
  const cgroup = `${unifiedRoot()}/keelson-bench-${process.pid}`;
  const folder = mkdtempSync(join(tmpdir(), 'keelson-bench-'));
  try {
    await prepare();
    const floor = startFloor(folder, cgroup);
    const rows: Row[] = [];
    let alive = 0;
    for (const living of options.living.split(',').map(Number)) {
      for (; alive < living; alive++) await createPod(cgroup, `k${alive}`, alive);
      rows.push(...(await measure(living, Number(options.rounds), cgroup, floor)));
    }
    floor.end();
    print(rows);
  } finally {
    await cgroupKill(cgroup);
    await cgroupRemove(cgroup);
    rmSync(folder, { recursive: true });
  }
}

async function prepare(): Promise<void> {
  // As the agent has it: pods without IPv6. The floor sets it for every link to come, which is the cheapest way there is.
  writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1');
  await netlink(null, [
    { op: 'bridge.add', name: bridge, mac: '02:00:00:00:00:01' },
    { op: 'address.add', dev: bridge, address: `${gateway}/16` },
    { op: 'link.set', name: bridge, up: true },
  ]);
}

/** Round by round, each going first in turn; the next round begins when the kernel has collected this one's links. */
async function measure(living: number, rounds: number, cgroup: string, floor: Floor): Promise<Row[]> {
  const ours: Sample[] = [];
  const floors: Sample[] = [];
  const warmUp = 3;
  for (let round = -warmUp; round < rounds; round++) {
    const turns = [
      async () => {
        ours.push(await measureAddon(cgroup));
        await linkGone('own');
      },
      async () => {
        floors.push(await floor.measure());
        await linkGone('floor');
      },
    ];
    for (const turn of round % 2 === 0 ? turns : turns.reverse()) {
      await turn();
    }
  }
  return rowsOf(living, ours.slice(warmUp), floors.slice(warmUp));
}

async function measureAddon(cgroup: string): Promise<Sample> {
  const path = `${cgroup}/own`;
  const start = performance.now();
  const pod = await sandboxIn(path);
  const created = performance.now();
  await attach(pod, 'own', 65_000);
  const attached = performance.now();
  await destroy(pod, path);
  const ended = performance.now();
  return { sandbox: (created - start) * 1e3, veth: (attached - created) * 1e3, destroy: (ended - attached) * 1e3 };
}

async function createPod(cgroup: string, name: string, number: number): Promise<void> {
  await attach(await sandboxIn(`${cgroup}/${name}`), name, number);
}

function sandboxIn(cgroup: string): Promise<Process> {
  return createSandbox({
    object: 'bench pod',
    cgroup,
    namespaces: { net: true, ipc: true, uts: true, pid: false },
    hostname: 'bench',
  });
}

function attach(pod: Process, hostName: string, number: number) {
  return vethAttach({
    object: 'bench pod',
    netns: `/proc/${pod.pid}/ns/net`,
    hostName,
    name: 'eth0',
    bridge,
    addresses: [`10.200.${((number + 10) >> 8) & 255}.${(number + 10) & 255}/16`],
    gateways: [gateway],
    ipv6: false,
  });
}

async function destroy(pod: Process, cgroup: string): Promise<void> {
  pod.signal(9);
  await pod.wait();
  pod.close();
  await cgroupRemove(cgroup);
}

/** The kernel takes a link away some milliseconds after its namespace. Asked by name: a dump costs as much as 1,000 pods. */
async function linkGone(name: string): Promise<void> {
  const gone = (error: KernelError) => error.code === 'ENODEV';
  while (!(await netlink(null, [{ op: 'link.set', name }]).then(() => false, gone))) {
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}

interface Floor {
  measure(): Promise<Sample>;
  end(): void;
}

function startFloor(folder: string, cgroup: string): Floor {
  const program = join(folder, 'sandbox-floor');
  const compiled = spawnSync('gcc', ['-O2', '-o', program, join(checkout, 'bench/sandbox-floor.c')], {
    stdio: 'inherit',
  });
  if (compiled.status !== 0) throw new Error('Cannot compile bench/sandbox-floor.c: install gcc.');
  const child = spawn(program, [join(checkout, 'build/Release/pause'), cgroup, bridge, gateway], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (command: string): Promise<number[]> => {
    child.stdin.write(`${command}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error(`sandbox-floor ended at "${command}".`);
    return String(value).split(' ').map(Number);
  };
  return {
    async measure() {
      const [sandbox, veth] = await ask('create floor 10.200.254.1');
      const [destroyed] = await ask('destroy');
      return { sandbox: sandbox!, veth: veth!, destroy: destroyed! };
    },
    end: () => child.stdin.end(),
  };
}

function rowsOf(living: number, ours: readonly Sample[], floors: readonly Sample[]): Row[] {
  const parts: [string, (sample: Sample) => number][] = [
    ['sandbox', sample => sample.sandbox],
    ['veth', sample => sample.veth],
    ['create', sample => sample.sandbox + sample.veth],
    ['destroy', sample => sample.destroy],
  ];
  return parts.map(([part, of]) => {
    const addonUs = median(ours.map(of));
    const floorUs = median(floors.map(of));
    return { living, part, addonUs, floorUs, ratio: addonUs / floorUs };
  });
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

function print(rows: readonly Row[]): void {
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ bench: 'sandbox', rounds: Number(options.rounds), rows })}\n`);
    return;
  }
  process.stdout.write('living  part      addon µs  floor µs  ratio\n');
  for (const { living, part, addonUs, floorUs, ratio } of rows) {
    const cells = [
      String(living).padStart(6),
      part.padEnd(8),
      addonUs.toFixed(0).padStart(8),
      floorUs.toFixed(0).padStart(8),
      ratio.toFixed(2).padStart(5),
    ];
    process.stdout.write(`${cells.join('  ')}\n`);
  }
}

/** This file is run from bench/ or, compiled, from dist/bench/. */
function checkoutAbove(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : checkoutAbove(dirname(folder));
}

function unifiedRoot(): string {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map(line => line.split(' '));
  const found = mounts.find(([, , type]) => type === 'cgroup2');
  if (!found) throw new Error('No cgroup2 is mounted.');
  return found[1]!;
}
