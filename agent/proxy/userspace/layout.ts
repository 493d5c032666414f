/** The table of nftables that leads packets for Services to ports of the agent, one table for each family. Pure. */
import type { BackendOptions, Family, ServiceEntry } from '../contract.js';
import { outermost } from '../nftables/elements.js';
import { rangeBytes } from '../nftables/encode.js';
import { words } from '../nftables/layout.js';
import type { TextElement } from '../nftables/text.js';

export const tableName = 'keelson_userspace';
export const tableOf = (family: Family): string => `${words[family].table} ${tableName}`;
export const setNames = ['services', 'services_inside', 'nodes', 'nodes_inside', 'none', 'node_none', 'ports'] as const;

/** Success if there is none. */
export const deletion = (family: Family): string => `add table ${tableOf(family)}\ndelete table ${tableOf(family)}\n`;

function declarations(address: string): string[] {
  const service = `${address} . inet_proto . inet_service`;
  const node = 'inet_proto . inet_service';
  return [
    `map services { type ${service} : inet_service; }`,
    `map services_inside { type ${service} : inet_service; }`,
    `map nodes { type ${node} : inet_service; }`,
    `map nodes_inside { type ${node} : inet_service; }`,
    `map none { type ${service} : verdict; }`,
    `map node_none { type ${node} : verdict; }`,
    `set ports { type ${node}; }`,
    `set guarded { type ${service}; }`,
    `set allowed { type ${service} . ${address}; flags interval; }`,
  ].map(text => `add ${text.replace(/^(map|set) /, '$1 TABLE ')}`);
}

interface Chain {
  readonly chain: string;
  readonly hook?: string;
  readonly rules: readonly string[];
}

function chains(family: Family, { clusterCidrs }: BackendOptions): Chain[] {
  const { table, loopback, unreachable, protocol } = words[family];
  const cidrs = clusterCidrs.filter(cidr => cidr.includes(':') === (family === 'IPv6'));
  const pods = cidrs.length > 0 ? `{ ${cidrs.join(', ')} }` : undefined;
  const service = `${table} daddr . meta l4proto . th dport`;
  const own = `fib daddr type local ${table} daddr != ${loopback}`;
  const lead = (one: string, node: string) => [
    `meta l4proto { tcp, udp } redirect to :${service} map @${one}`,
    `${own} meta l4proto { tcp, udp } redirect to :meta l4proto . th dport map @${node}`,
  ];
  const nat = ['jump anywhere', 'jump refuse'];
  return [
    {
      chain: 'nobody',
      rules: ['meta l4proto tcp reject with tcp reset', `reject with ${unreachable} type port-unreachable`],
    },
    { chain: 'silence', rules: ['drop'] },
    { chain: 'guard', rules: [`${table} daddr . ${protocol} . th dport . ${table} saddr @allowed return`, 'drop'] },
    { chain: 'inside', rules: lead('services_inside', 'nodes_inside') },
    { chain: 'anywhere', rules: lead('services', 'nodes') },
    { chain: 'refuse', rules: [`${service} vmap @none`, `${own} meta l4proto . th dport vmap @node_none`] },
    {
      chain: 'protect',
      hook: 'filter hook input priority filter; policy accept',
      // the agent's ports are for those who come by a Service's address
      rules: ['ct state new meta l4proto . th dport @ports ct status & dnat != dnat goto nobody'],
    },
    {
      chain: 'prerouting',
      hook: 'nat hook prerouting priority dstnat; policy accept',
      rules: [`${service} @guarded jump guard`, ...(pods ? [`${table} saddr ${pods} jump inside`] : []), ...nat],
    },
    {
      chain: 'output',
      hook: 'nat hook output priority -100; policy accept',
      rules: [`${service} @guarded jump guard`, 'jump inside', ...nat],
    },
  ];
}

/** The table without elements; whatever was in it goes. */
export function layout(family: Family, options: BackendOptions): string {
  const name = tableOf(family);
  const all = chains(family, options);
  return [
    deletion(family),
    `add table ${name}`,
    ...declarations(words[family].address).map(line => line.replace('TABLE', name)),
    ...all.map(({ chain, hook }) => `add chain ${name} ${chain}${hook ? ` { type ${hook}; }` : ''}`),
    ...all.flatMap(({ chain, rules }) => rules.map(rule => `add rule ${name} ${chain} ${rule}`)),
    '',
  ].join('\n');
}

/** Ports of the agent at which an entry is served: for the world, and for pods and the node if these see others. */
export interface AgentPorts {
  readonly world: number | undefined;
  readonly inside: number | undefined;
}

export function elementsOf(entry: ServiceEntry, { world, inside }: AgentPorts): TextElement[] {
  const { address, protocol, port, none, sourceRanges } = entry;
  const local = `${protocol} . ${port}`;
  const node = address === undefined;
  const key = node ? local : `${address} . ${local}`;
  const leads = (set: string, to: number | undefined) =>
    to === undefined
      ? []
      : [
          { set, key, value: String(to) },
          { set: 'ports', key: `${protocol} . ${to}` },
        ];
  const ranges = outermost((sourceRanges ?? []).map(range => ({ range, ...rangeBytes(range) })));
  return [
    ...leads(node ? 'nodes' : 'services', world),
    ...leads(node ? 'nodes_inside' : 'services_inside', inside),
    ...(world === undefined
      ? [{ set: node ? 'node_none' : 'none', key, value: `goto ${none === 'drop' ? 'silence' : 'nobody'}` }]
      : []),
    ...(sourceRanges ? [{ set: 'guarded', key }] : []),
    ...ranges.map(({ range }) => ({ set: 'allowed', key: `${key} . ${range}` })),
  ];
}
