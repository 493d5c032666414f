/** One mode and one size of bench/services.ts, in the namespaces that it was started in: prints its figures as JSON. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { chooseBackend } from '../agent/proxy/backends.js';
import type { BackendOptions, ProxyBackend } from '../agent/proxy/contract.js';
import { HealthServers } from '../agent/proxy/health.js';
import type { ProxyMode } from '../agent/proxy/modes.js';
import { ServiceProxy } from '../agent/proxy/proxy.js';
import { ProxyState } from '../agent/proxy/state.js';
import { enableForwarding } from '../agent/proxy/sysctl.js';
import { createLogger } from '../src/base/log.js';
import type { KubeObject } from '../src/kube/meta.js';
import { service, sliceOf } from '../test/helpers/services.js';
import { connect, ip, openSpace, type Space } from '../test/helpers/spaces.js';
import { serveAddresses } from './services-peer.js';
import { kubeProxyTable } from './services-reference.js';
import { quantile } from './statistics.js';

export interface ModeOptions {
  readonly mode: ProxyMode;
  readonly services: number;
  readonly endpoints: number;
  readonly rounds: number;
}

/** Milliseconds. */
interface Figure {
  readonly median: number;
  readonly spread: string;
}

export interface ModeFigures {
  readonly tableMs: number;
  readonly load: Figure;
  readonly reference?: { readonly name: string; readonly value: number };
  readonly change: Figure;
  readonly apply: Figure;
  /** A second. */
  readonly connections: { readonly service: number; readonly direct: number };
  readonly processor: { readonly percent: number; readonly changes: number; readonly seconds: number };
}

const backendOptions: BackendOptions = { clusterCidrs: ['10.244.0.0/16'], bridge: 'cni0' };
const port = 8080;
const vip = '10.96.0.1';
const peers = ['10.244.1.2', '10.244.1.3'] as const;
const loads = 3;
const patienceMs = 10_000;
const changesPerSecond = 100;
const processorMs = 3000;
/** More are slow: what they cost a Service is clear by then. */
const referenceServices = 5000;

const options = JSON.parse(process.argv[2] ?? '{}') as ModeOptions;
const space = await openSpace();
try {
  process.stdout.write(`${JSON.stringify(await main())}\n`);
} finally {
  space.close();
}
process.exit(0);

async function main(): Promise<ModeFigures | { readonly missing: string }> {
  const backend = await chooseBackend(options.mode, backendOptions).catch((error: unknown) => String(error));
  if (typeof backend === 'string' || !backend) return { missing: String(backend) };
  await network(space);
  const objects = Array.from({ length: options.services }, (_, i) => objectsOf(i)).flat();
  const reference = await referenceLoad();
  const state = new ProxyState({ name: 'node' });
  const began = performance.now();
  state.sync(objects);
  state.take();
  const tableMs = performance.now() - began;
  const load = await times(options.services > 1000 && options.mode === 'iptables' ? 1 : loads, () =>
    backend.sync(state.table),
  );
  const changed = await changes(backend, state);
  const connections = await rates();
  return {
    tableMs,
    load: figure(load),
    ...(reference && { reference }),
    change: figure(changed.answered),
    apply: figure(changed.applied),
    connections,
    processor: await processorShare(backend, objects),
  };
}

async function network(pods: Space): Promise<void> {
  await connect(
    pods,
    'cni0',
    'eth0',
    peers.map(address => `${address}/24`),
  );
  ip('address', 'add', '10.244.1.1/24', 'dev', 'cni0');
  // as the agent has it: a cluster address leads somewhere
  ip('route', 'add', '10.96.0.0/12', 'dev', 'cni0');
  await pods.run('ip', 'route', 'add', 'default', 'via', '10.244.1.1');
  await enableForwarding(false);
  await serveAddresses(pods.pid, port);
}

/** The first one is that which is measured: it has one endpoint, which answers. */
function objectsOf(i: number): KubeObject[] {
  const own = service(`s${i}`, { clusterIP: `10.${96 + ((i + 1) >> 16)}.${((i + 1) >> 8) & 255}.${(i + 1) & 255}` });
  if (i === 0) return [own, sliceOf(own, [{ address: peers[0] }])];
  const addresses = Array.from({ length: options.endpoints }, (_, slot) => {
    const number = i * options.endpoints + slot;
    return { address: `10.${244}.${2 + ((number >> 8) % 250)}.${number & 255}`, nodeName: 'other' };
  });
  return [own, sliceOf(own, addresses)];
}

/** Of the measured Service. */
function moved(round: number): KubeObject {
  return sliceOf(service('s0', { clusterIP: vip }), [{ address: peers[(round + 1) % 2] as string }]);
}

async function changes(backend: ProxyBackend, state: ProxyState): Promise<{ applied: number[]; answered: number[] }> {
  const applied: number[] = [];
  const answered: number[] = [];
  for (let round = 0; round < options.rounds; round++) {
    state.put(moved(round));
    const start = performance.now();
    await backend.apply(state.take(), state.table);
    applied.push(performance.now() - start);
    while ((await answerOf(vip, 80)) !== peers[(round + 1) % 2])
      if (performance.now() - start > patienceMs)
        throw new Error(`the new endpoint does not answer within ${patienceMs} ms (round ${round})`);
    answered.push(performance.now() - start);
  }
  return { applied, answered };
}

/** Which address of the peer took the connection. */
async function answerOf(address: string, at: number): Promise<string> {
  const socket = connectSocket(at, address);
  try {
    const [said] = (await once(socket, 'data')) as [Buffer];
    return said.toString();
  } catch {
    return '';
  } finally {
    socket.resetAndDestroy();
  }
}

/** By turns, so that a busy machine slows both. */
async function rates(): Promise<{ service: number; direct: number }> {
  const direct: number[] = [];
  const through: number[] = [];
  const last = peers[options.rounds % 2] as string;
  for (let turn = 0; turn < 4; turn++) {
    direct.push(await rate(last, port));
    through.push(await rate(vip, 80));
  }
  return { service: quantile(through, 0.5), direct: quantile(direct, 0.5) };
}

async function rate(address: string, at: number): Promise<number> {
  const count = 1000;
  const start = performance.now();
  const worker = async () => {
    for (let i = 0; i < count / 16; i++) await answerOf(address, at);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  return count / ((performance.now() - start) / 1000);
}

async function processorShare(backend: ProxyBackend, objects: readonly KubeObject[]) {
  const log = createLogger('bench');
  const proxy = new ServiceProxy({ backend, node: { name: 'node' }, health: new HealthServers(log), log });
  proxy.sync(objects);
  await proxy.settled();
  const began = performance.now();
  const before = processorNow();
  let count = 0;
  while (performance.now() - began < processorMs) {
    proxy.put(moved(count++));
    const due = began + count * (1000 / changesPerSecond);
    await new Promise(resolve => setTimeout(resolve, Math.max(0, due - performance.now())));
  }
  await proxy.settled();
  const seconds = (performance.now() - began) / 1000;
  const used = processorNow() - before;
  await proxy.close(false);
  return { percent: used / seconds, changes: count, seconds };
}

/** Hundredths of a second, of this process and of those that it started and that have ended. */
function processorNow(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? [];
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
}

async function referenceLoad(): Promise<ModeFigures['reference']> {
  if (options.mode !== 'nftables') return undefined;
  const size = Math.min(options.services, referenceServices);
  const text = kubeProxyTable(size, options.endpoints);
  const start = performance.now();
  const { status, stderr } = spawnSync('nft', ['-f', '-'], { input: text, encoding: 'utf8' });
  if (status !== 0) throw new Error(`nft refused the table of chains to compare with: ${stderr.slice(0, 300)}`);
  const value = performance.now() - start;
  spawnSync('nft', ['delete', 'table', 'ip', 'compared']);
  return { name: `a chain per Service and endpoint, ${size} Services,`, value };
}

async function times(count: number, deed: () => Promise<void>): Promise<number[]> {
  const all: number[] = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    await deed();
    all.push(performance.now() - start);
  }
  return all;
}

function figure(values: readonly number[]): Figure {
  const at = (part: number) => quantile(values, part).toFixed(2);
  return { median: quantile(values, 0.5), spread: `p95 ${at(0.95)}, min ${at(0)}, n=${values.length}` };
}
