/** What the kernel of this node does with the packets of a Service: the running mode, and whether each entry is there. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ipvsList } from '../../native/index.js';
import type { Service } from '../../src/kube/api/core-v1.js';
import type { EndpointSlice } from '../../src/kube/api/discovery-v1.js';
import type { NodeFacts, ServiceEntry } from './contract.js';
import { addressOf, explain, keyOf, kindOf, type RunningMode, type Step, whyNone } from './explain.js';
import { words } from './nftables/layout.js';
import { entriesOf, isProxied, serviceKey } from './table.js';

export interface ServiceReport {
  readonly service: string;
  /** Undefined: nobody serves Services on this node. */
  readonly mode: RunningMode | undefined;
  /** Why no packet is led anywhere. */
  readonly none?: string;
  readonly ways: readonly {
    readonly address: string;
    readonly kind: string;
    readonly portName: string;
    /** Whether the kernel has it now. */
    readonly present: boolean;
    readonly steps: readonly Step[];
  }[];
}

const output = (program: string, ...args: string[]): Promise<string> =>
  promisify(execFile)(program, args, { maxBuffer: 512 << 20 }).then(
    ({ stdout }) => stdout,
    () => '',
  );

/** By what is there: no agent is asked. */
async function runningMode(): Promise<RunningMode | undefined> {
  const tables = await output('nft', 'list', 'tables');
  if (/ keelson_services$/m.test(tables)) return 'nftables';
  if (/ keelson_ipvs$/m.test(tables)) return 'ipvs';
  if (/ keelson_userspace$/m.test(tables)) return 'userspace';
  const chains = await output('iptables-save', '-t', 'nat');
  return chains.includes(':KUBE-SERVICES ') ? 'iptables' : undefined;
}

/** @param slices of this Service */
export async function inspectService(
  service: Service,
  slices: readonly EndpointSlice[],
  node: NodeFacts,
): Promise<ServiceReport> {
  const mode = await runningMode();
  const entries = mode ? entriesOf(service, slices, node) : [];
  const isElsewhere = !isProxied(service) && Boolean(service.spec?.clusterIP) && service.spec?.clusterIP !== 'None';
  const ways = [];
  for (const entry of entries)
    ways.push({
      address: addressOf(entry),
      kind: kindOf(entry),
      portName: entry.portName,
      present: await isPresent(entry, mode as RunningMode),
      steps: explain(entry, mode as RunningMode),
    });
  const none = mode
    ? whyNone(service.spec, isElsewhere)
    : 'no mode serves Services on this node (keelson agent --proxy-mode)';
  return { service: serviceKey(service), mode, ways, ...(ways.length === 0 && { none }) };
}

async function isPresent(entry: ServiceEntry, mode: RunningMode): Promise<boolean> {
  if (mode === 'iptables') return hasRule(entry);
  const node = entry.address === undefined;
  const served = entry.endpoints.length > 0;
  if (mode === 'ipvs' && served) {
    const found = await ipvsList().catch(() => []);
    return found.some(one => one.port === entry.port && (node || one.address === entry.address));
  }
  const table = { nftables: 'keelson_services', ipvs: 'keelson_ipvs', userspace: 'keelson_userspace' }[mode];
  const plain = mode === 'nftables' || served ? 'services' : 'none';
  const set = node ? { services: 'nodes', none: 'node_none' }[plain] : plain;
  return (await output('nft', 'get', 'element', words[entry.family].table, table, set, `{ ${keyOf(entry)} }`)) !== '';
}

async function hasRule({ family, address, protocol, port }: ServiceEntry): Promise<boolean> {
  const text = await output(family === 'IPv4' ? 'iptables-save' : 'ip6tables-save');
  return text.split('\n').some(line => {
    if (!line.startsWith('-A KUBE-') || !line.includes(` -p ${protocol} `) || !line.includes(` --dport ${port} `))
      return false;
    return address === undefined || line.includes(` -d ${address}/`);
  });
}
