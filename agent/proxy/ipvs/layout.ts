/**
 * What ip_vs cannot do by itself, as one table of nftables for each family: whose source becomes the node's, who is
 * refused, and which packets see other endpoints than the world does (by a mark, which a virtual server can be for). Pure.
 */

import type { BackendOptions, Family, ServiceEntry } from '../contract.js';
import { outermost } from '../nftables/elements.js';
import { rangeBytes } from '../nftables/encode.js';
import { masqueradeChains, words } from '../nftables/layout.js';
import type { TextElement } from '../nftables/text.js';

export const tableName = 'keelson_ipvs';
export const tableOf = (family: Family): string => `${words[family].table} ${tableName}`;

/** Marks of ours are 0x4b000000 and up, by which they are told from those of others. */
export const firstMark = 0x4b000000;
const ownMark = 'meta mark & 0xff000000 == 0x4b000000';

type SetName =
  | ('vips' | 'nodes' | 'served' | 'none' | 'node_none' | 'guarded' | 'allowed')
  | ('masquerades' | 'node_masquerades' | 'inside' | 'node_inside' | 'hairpin');

function declarations(address: string): readonly (readonly ['set' | 'map', SetName, string])[] {
  const service = `${address} . inet_proto . inet_service`;
  const node = 'inet_proto . inet_service';
  return [
    ['set', 'vips', `type ${address};`],
    ['set', 'nodes', `type ${address};`],
    ['set', 'served', `type ${service};`],
    ['map', 'none', `type ${service} : verdict;`],
    ['map', 'node_none', `type ${node} : verdict;`],
    ['set', 'guarded', `type ${service};`],
    ['set', 'allowed', `type ${service} . ${address}; flags interval;`],
    ['map', 'masquerades', `type ${service} : verdict;`],
    ['map', 'node_masquerades', `type ${node} : verdict;`],
    ['map', 'inside', `type ${service} : mark;`],
    ['map', 'node_inside', `type ${node} : mark;`],
    ['set', 'hairpin', `type ${address} . ${address};`],
  ];
}

interface Chain {
  readonly chain: string;
  readonly hook?: string;
  readonly rules: readonly string[];
}

function chains(family: Family, { clusterCidrs, bridge }: BackendOptions, translatesBridged: boolean): Chain[] {
  const { table, unreachable, protocol } = words[family];
  const cidrs = clusterCidrs.filter(cidr => cidr.includes(':') === (family === 'IPv6'));
  const pods = cidrs.length > 0 ? `{ ${cidrs.join(', ')} }` : undefined;
  const service = `${table} daddr . meta l4proto . th dport`;
  const onNode = `${table} daddr @nodes meta l4proto . th dport`;
  const original = `ct original ${table} daddr`;
  const ported = 'meta l4proto { tcp, udp, sctp }';
  const masquerade = 'masquerade fully-random';
  return [
    {
      chain: 'nobody',
      rules: ['meta l4proto tcp reject with tcp reset', `reject with ${unreachable} type port-unreachable`],
    },
    { chain: 'silence', rules: ['drop'] },
    { chain: 'guard', rules: [`${table} daddr . ${protocol} . th dport . ${table} saddr @allowed return`, 'drop'] },
    {
      chain: 'refuse',
      rules: [
        `${service} @guarded jump guard`,
        `${ownMark} return`,
        `${service} vmap @none`,
        `${onNode} vmap @node_none`,
        // what listens on all of the node's addresses is not to be reached by those of Services
        `${table} daddr @vips ${ported} ${service} != @served goto nobody`,
      ],
    },
    {
      chain: 'mark_inside',
      rules: [
        `${ported} meta mark set ${service} map @inside`,
        `${table} daddr @nodes ${ported} meta mark set meta l4proto . th dport map @node_inside`,
      ],
    },
    {
      chain: 'prerouting',
      hook: 'filter hook prerouting priority mangle; policy accept',
      rules: pods ? [`${table} saddr ${pods} jump mark_inside`] : [],
    },
    {
      chain: 'output',
      hook: 'filter hook output priority mangle; policy accept',
      rules: ['jump mark_inside', 'ct state new jump refuse'],
    },
    { chain: 'input', hook: 'filter hook input priority filter; policy accept', rules: ['ct state new jump refuse'] },
    {
      // a mark has done its work when the server is chosen; a tunnel's own packets would inherit it, and be taken for such
      chain: 'unmark',
      hook: 'filter hook postrouting priority mangle; policy accept',
      rules: [`${ownMark} meta mark set 0`],
    },
    {
      chain: 'postrouting',
      hook: 'nat hook postrouting priority srcnat - 1; policy accept',
      rules: [
        // without br_netfilter an answer between pods of one node would not be translated back
        ...(translatesBridged
          ? []
          : ['@vips', '@nodes'].map(set => `iifname "${bridge}" oifname "${bridge}" ${original} ${set} ${masquerade}`)),
        `${table} saddr . ${table} daddr @hairpin ${original} @vips ${masquerade}`,
        `${table} saddr . ${table} daddr @hairpin ${original} @nodes ${masquerade}`,
        `${ported} ${original} . meta l4proto . ct original proto-dst vmap @masquerades`,
        `${ported} ${original} @nodes meta l4proto . ct original proto-dst vmap @node_masquerades`,
      ],
    },
    { chain: masqueradeChains.all, rules: [masquerade] },
    { chain: masqueradeChains.outside, rules: [pods ? `${table} saddr != ${pods} ${masquerade}` : masquerade] },
    { chain: masqueradeChains.node, rules: [`fib saddr type local ${masquerade}`] },
  ];
}

/**
 * The table without elements; whatever was in it goes.
 * @param translatesBridged whether netfilter sees what crosses the bridge
 */
export function layout(family: Family, options: BackendOptions, translatesBridged: boolean): string {
  const name = `${words[family].table} ${tableName}`;
  const all = chains(family, options, translatesBridged);
  return [
    deletion(family),
    `add table ${name}`,
    ...declarations(words[family].address).map(([kind, set, spec]) => `add ${kind} ${name} ${set} { ${spec} }`),
    ...all.map(({ chain, hook }) => `add chain ${name} ${chain}${hook ? ` { type ${hook}; }` : ''}`),
    ...all.flatMap(({ chain, rules }) => rules.map(rule => `add rule ${name} ${chain} ${rule}`)),
    '',
  ].join('\n');
}

/** Success if there is none. */
export const deletion = (family: Family): string =>
  `add table ${words[family].table} ${tableName}\ndelete table ${words[family].table} ${tableName}\n`;

/**
 * @param mark by which what pods and the node send is told, if it sees other endpoints
 * @param isNodes the address is one of the node's own
 */
export function elementsOf(entry: ServiceEntry, mark: number | undefined, isNodes: boolean): TextElement[] {
  const { address, protocol, port, endpoints, none, masquerade, sourceRanges } = entry;
  const local = `${protocol} . ${port}`;
  const key = address === undefined ? local : `${address} . ${local}`;
  const node = address === undefined;
  const inside =
    mark === undefined ? [] : [{ set: node ? 'node_inside' : 'inside', key, value: String(mark) } as const];
  const refused: TextElement = {
    set: node ? 'node_none' : 'none',
    key,
    value: `goto ${none === 'drop' ? 'silence' : 'nobody'}`,
  };
  const ranges = outermost((sourceRanges ?? []).map(range => ({ range, ...rangeBytes(range) }))).map(
    ({ range }) => ({ set: 'allowed', key: `${key} . ${range}` }) as const,
  );
  return [
    ...inside,
    ...(endpoints.length === 0 ? [refused] : []),
    { set: node ? 'node_masquerades' : 'masquerades', key, value: `goto ${masqueradeChains[masquerade]}` },
    ...(node ? [] : [{ set: 'served', key } as const]),
    ...(node || isNodes ? [] : [{ set: 'vips', key: address } as const]),
    ...(sourceRanges ? [{ set: 'guarded', key } as const, ...ranges] : []),
    ...[...endpoints, ...(entry.inside ?? [])]
      .filter(one => one.local)
      .map(one => ({ set: 'hairpin', key: `${one.address} . ${one.address}` }) as const),
  ];
}
