/**
 * The table that holds a family's Services, as text for nft. It holds no chain and no rule per Service: an address is
 * looked up in a map, which leads to the one chain for so many endpoints, which looks one of them up in another map. So a
 * change is a few elements, and a packet meets the same few rules however many Services there are. No packet marks are
 * used: what must be known later is asked of the connection's original destination. Pure.
 */
import type { BackendOptions, Family, Protocol } from '../contract.js';

export const tableName = 'keelson_services';

/** What nft calls the parts of each family. */
export const words = {
  IPv4: { table: 'ip', address: 'ipv4_addr', loopback: '127.0.0.0/8', unreachable: 'icmp', protocol: 'ip protocol' },
  IPv6: { table: 'ip6', address: 'ipv6_addr', loopback: '::1/128', unreachable: 'icmpv6', protocol: 'ip6 nexthdr' },
} as const;

/** Endpoints for what pods and the node itself send, with externalTrafficPolicy Local, have slots from here on. */
export const insideSlots = 65_536;

/** Sets and maps whose elements follow from the table of Services; `affinity` the kernel fills by itself. */
export const setNames = [
  'services',
  'services_inside',
  'endpoints_tcp',
  'endpoints_udp',
  'endpoints_sctp',
  'nodes',
  'nodes_inside',
  'node_endpoints_tcp',
  'node_endpoints_udp',
  'node_endpoints_sctp',
  'masquerades',
  'node_masquerades',
  'remember',
  'node_remember',
  'hairpin',
  'guarded',
  'allowed',
] as const;
export type SetName = (typeof setNames)[number];

/** One chain leads to one of `count` endpoints. */
export interface PickChain {
  /** Of the maps of node ports. */
  readonly node: boolean;
  readonly inside: boolean;
  /** Comes back to the endpoint that the client had last. */
  readonly sticky: boolean;
  readonly count: number;
}

export const pickName = ({ node, inside, sticky, count }: PickChain): string =>
  [node && 'node', inside && 'inside', sticky && 'sticky', 'pick', count].filter(Boolean).join('_');

export const rememberName = (seconds: number): string => `remember_${seconds}`;

export const rejectChain = 'nobody_serves';
export const dropChain = 'nobody_serves_here';
export const masqueradeChains = {
  all: 'masquerade_all',
  outside: 'masquerade_outside',
  node: 'masquerade_node',
} as const;

/** A port of the original destination has no type until the protocol is known to nft. */
const ported = 'meta l4proto { tcp, udp, sctp }';

/**
 * May be applied any number of times: sets and their elements stay, rules are written anew.
 * @param translatesBridged whether netfilter sees what crosses the bridge. If not, answers between pods of one node would
 *   not be translated back, so these pods see the node as their peer.
 */
export function layout(family: Family, options: BackendOptions, translatesBridged: boolean): string {
  const { table } = words[family];
  const name = `${table} ${tableName}`;
  const chains = baseChains(family, options, translatesBridged);
  return [
    `add table ${name}`,
    ...sets(family).map(([kind, set, spec]) => `add ${kind} ${name} ${set} { ${spec} }`),
    ...chains.map(({ chain, hook }) => `add chain ${name} ${chain}${hook ? ` { type ${hook}; }` : ''}`),
    ...chains.map(({ chain }) => `flush chain ${name} ${chain}`),
    ...chains.flatMap(({ chain, rules }) => rules.map(rule => `add rule ${name} ${chain} ${rule}`)),
    '',
  ].join('\n');
}

function sets(family: Family): (readonly ['set' | 'map', SetName | 'affinity', string])[] {
  const { table, address } = words[family];
  const service = `${address} . inet_proto . inet_service`;
  const endpoint = `${address} . inet_service`;
  return [
    ['map', 'services', `type ${service} : verdict;`],
    ['map', 'services_inside', `type ${service} : verdict;`],
    ...protocols.map(protocol =>
      endpointMap(table, protocol, `endpoints_${protocol}`, `${table} daddr . meta l4proto . th dport`),
    ),
    ['map', 'nodes', 'type inet_proto . inet_service : verdict;'],
    ['map', 'nodes_inside', 'type inet_proto . inet_service : verdict;'],
    ...protocols.map(protocol => endpointMap(table, protocol, `node_endpoints_${protocol}`, 'meta l4proto . th dport')),
    ['map', 'masquerades', `type ${service} : verdict;`],
    ['map', 'node_masquerades', 'type inet_proto . inet_service : verdict;'],
    ['map', 'remember', `type ${service} : verdict;`],
    ['map', 'node_remember', 'type inet_proto . inet_service : verdict;'],
    ...(remembers(family)
      ? [['map', 'affinity', `type ${address} . ${service} : ${endpoint}; size 65536; flags dynamic,timeout;`] as const]
      : []),
    ['set', 'hairpin', `type ${address} . ${address};`],
    ['set', 'guarded', `type ${service};`],
    ['set', 'allowed', `type ${service} . ${address}; flags interval;`],
  ];
}

const protocols = ['tcp', 'udp', 'sctp'] as const;

/**
 * Whether the kernel keeps which endpoint a client had. What nft writes into a map by a rule may have a key of 16 bytes: the
 * client and the address of the Service are longer in IPv6. There a client's address decides which endpoint it gets.
 */
const remembers = (family: Family): boolean => family === 'IPv4';
const hashSeed = '0x6b656c73';

/**
 * A number of the kernel's own making has no name as a type, so the map is declared by example. One for each protocol: nft
 * cannot read again a map whose value is any protocol's port.
 */
const endpointMap = (table: string, protocol: Protocol, set: SetName, key: string) =>
  ['map', set, `typeof ${key} . numgen random mod 65536 : ${table} daddr . ${protocol} dport;`] as const;

interface Chain {
  readonly chain: string;
  readonly hook?: string;
  readonly rules: readonly string[];
}

function baseChains(family: Family, options: BackendOptions, translatesBridged: boolean): Chain[] {
  const { table, unreachable, protocol } = words[family];
  const cidrs = options.clusterCidrs.filter(cidr => cidr.includes(':') === (family === 'IPv6'));
  const pods = cidrs.length > 0 ? `{ ${cidrs.join(', ')} }` : undefined;
  const masquerade = 'masquerade fully-random';
  return [
    ...entrances(family, pods),
    // `meta l4proto` as part of an interval is refused by kernels that know no byte order of one byte (6.12)
    { chain: 'guard', rules: [`${table} daddr . ${protocol} . th dport . ${table} saddr @allowed return`, 'drop'] },
    {
      chain: rejectChain,
      rules: ['meta l4proto tcp reject with tcp reset', `reject with ${unreachable} type port-unreachable`],
    },
    { chain: dropChain, rules: ['drop'] },
    ...(remembers(family) ? memory(table) : []),
    {
      chain: 'postrouting',
      hook: 'nat hook postrouting priority srcnat - 1; policy accept',
      rules: ['ct status dnat goto translated'],
    },
    {
      chain: 'translated',
      rules: [
        `${table} saddr . ${table} daddr @hairpin ${masquerade}`,
        `${ported} ct original ${table} daddr . meta l4proto . ct original proto-dst vmap @masquerades`,
        `${ported} meta l4proto . ct original proto-dst vmap @node_masquerades`,
        ...(translatesBridged ? [] : [`iifname "${options.bridge}" oifname "${options.bridge}" ${masquerade}`]),
      ],
    },
    { chain: masqueradeChains.all, rules: [masquerade] },
    { chain: masqueradeChains.outside, rules: [pods ? `${table} saddr != ${pods} ${masquerade}` : masquerade] },
    { chain: masqueradeChains.node, rules: [`fib saddr type local ${masquerade}`] },
  ];
}

/** What comes in, what the node itself sends, and what both go through. */
function entrances(family: Family, pods: string | undefined): Chain[] {
  const { table, loopback } = words[family];
  const service = `${table} daddr . meta l4proto . th dport`;
  // the node's loopback is nobody else's: it has no node ports
  const own = `fib daddr type local ${table} daddr != ${loopback} meta l4proto . th dport`;
  const guard = `${service} @guarded jump guard`;
  return [
    { chain: 'inside', rules: [`${service} vmap @services_inside`, `${own} vmap @nodes_inside`] },
    { chain: 'anywhere', rules: [`${service} vmap @services`, `${own} vmap @nodes`] },
    {
      chain: 'prerouting',
      hook: 'nat hook prerouting priority dstnat; policy accept',
      rules: [guard, ...(pods ? [`${table} saddr ${pods} jump inside`] : []), 'jump anywhere'],
    },
    {
      chain: 'output',
      hook: 'nat hook output priority -100; policy accept',
      rules: [guard, 'jump inside', 'jump anywhere'],
    },
  ];
}

/** Session affinity is written after the translation, when the endpoint is known. */
function memory(table: string): Chain[] {
  const look = ['ct state new ct status dnat goto look_up_memory'];
  return [
    {
      chain: 'look_up_memory',
      rules: [
        `${ported} ct original ${table} daddr . meta l4proto . ct original proto-dst vmap @remember`,
        `${ported} meta l4proto . ct original proto-dst vmap @node_remember`,
      ],
    },
    { chain: 'remember_incoming', hook: 'filter hook prerouting priority dstnat + 10; policy accept', rules: look },
    { chain: 'remember_own', hook: 'filter hook output priority -90; policy accept', rules: look },
  ];
}

/** The chains that a table's elements lead to, beyond those of the layout. */
export function extraChains(family: Family, picks: Iterable<PickChain>, seconds: Iterable<number>): string {
  const { table } = words[family];
  const lines = (chain: string, rules: readonly string[]) => {
    const name = `${table} ${tableName} ${chain}`;
    return [`add chain ${name}`, `flush chain ${name}`, ...rules.map(rule => `add rule ${name} ${rule}`)];
  };
  return [
    ...[...picks].flatMap(pick => lines(pickName(pick), pickRules(family, pick))),
    ...[...seconds].flatMap(time =>
      lines(
        rememberName(time),
        !remembers(family)
          ? []
          : [
              `${ported} update @affinity { ct original ${table} saddr . ct original ${table} daddr . meta l4proto . ct original proto-dst timeout ${time}s : ${table} daddr . th dport }`,
            ],
      ),
    ),
    '',
  ].join('\n');
}

function pickRules(family: Family, { node, inside, sticky, count }: PickChain): string[] {
  const { table } = words[family];
  const service = 'meta l4proto . th dport';
  const isHashed = sticky && !remembers(family);
  const drawn = isHashed ? `jhash ${table} saddr mod ${count} seed ${hashSeed}` : `numgen random mod ${count}`;
  const slot = `${drawn}${inside ? ` offset ${insideSlots}` : ''}`;
  const key = node ? `${service} . ${slot}` : `${table} daddr . ${service} . ${slot}`;
  const set = node ? 'node_endpoints' : 'endpoints';
  const chosen = protocols.map(protocol => `dnat to ${key} map @${set}_${protocol}`);
  return sticky && !isHashed
    ? [`dnat to ${table} saddr . ${table} daddr . ${service} map @affinity`, ...chosen]
    : chosen;
}
