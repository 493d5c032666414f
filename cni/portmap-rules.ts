/**
 * The tables of host ports: pure. On the node's loopback they are reached by IPv4 only: what comes from ::1 the kernel lets
 * go nowhere else.
 */
import type { ForgetConnections, NfFamily } from '../native/index.js';
import { familyOf } from '../src/base/cidr.js';
import type { PortMapping } from './contract.js';

/** The ports of one container, and its addresses: at most one of each family. */
export interface Mapped {
  readonly addresses: readonly string[];
  readonly ports: readonly PortMapping[];
}

interface Family {
  readonly version: 4 | 6;
  /** As nft calls it, and its type of addresses. */
  readonly name: 'ip' | 'ip6';
  readonly type: 'ipv4_addr' | 'ipv6_addr';
  readonly number: NfFamily;
  /** A hostIP that means every address of this family. */
  readonly wildcard: string;
  /** Rules of its table: what is counted to see whether somebody flushed them. */
  readonly ruleCount: number;
}

export const table = 'keelson_hostports';
export const families: readonly Family[] = [
  { version: 4, name: 'ip', type: 'ipv4_addr', number: 2, wildcard: '0.0.0.0', ruleCount: 8 },
  { version: 6, name: 'ip6', type: 'ipv6_addr', number: 10, wildcard: '::', ruleCount: 5 },
];

export const removePortmap = families
  .map(({ name }) => `add table ${name} ${table}\ndelete table ${name} ${table}\n`)
  .join('');

/** Pure. One transaction: there is no moment without the ports that stay. A table of IPv6 only for pods that have it. */
export function portmapRules(all: readonly Mapped[], bridge: string): string {
  return families
    .filter(family => family.version === 4 || all.some(({ addresses }) => addressOf(family, addresses)))
    .map(family => tableRules(family, all, bridge))
    .join('');
}

const addressOf = ({ version }: Family, addresses: readonly string[]): string | undefined =>
  addresses.find(address => familyOf(address) === version);

function tableRules(family: Family, all: readonly Mapped[], bridge: string): string {
  const { name, type } = family;
  const { any, one, own } = elementsOf(family, all);
  const fill = (set: string, list: Iterable<string>): string => {
    const text = [...list].join(', ');
    return text && `add element ${name} ${table} ${set} { ${text} }\n`;
  };
  const entries = (map: ReadonlyMap<string, string>) => [...map].map(([key, value]) => `${key} : ${value}`);
  const lines = [
    `add table ${name} ${table}`,
    `delete table ${name} ${table}`,
    `table ${name} ${table} {`,
    `  map any { type inet_proto . inet_service : ${type} . inet_service; }`,
    `  map one { type ${type} . inet_proto . inet_service : ${type} . inet_service; }`,
    `  set own { type ${type} . ${type}; }`,
    '  chain lead {',
    `    dnat ${name} to ${name} daddr . meta l4proto . th dport map @one`,
    `    dnat ${name} to meta l4proto . th dport map @any`,
    '  }',
    ...(family.version === 4 ? chains4(bridge) : chains6),
    '}',
  ];
  return `${lines.join('\n')}\n${fill('any', entries(any))}${fill('one', entries(one))}${fill('own', own)}`;
}

const chains4 = (bridge: string): string[] => [
  '  chain prerouting {',
  '    type nat hook prerouting priority -105; policy accept;',
  '    fib daddr type local ip daddr != 127.0.0.0/8 jump lead',
  '  }',
  '  chain output {',
  '    type nat hook output priority -105; policy accept;',
  '    fib daddr type local jump lead',
  '  }',
  '  chain postrouting {',
  '    type nat hook postrouting priority 95; policy accept;',
  '    ct status dnat ip saddr . ip daddr @own masquerade',
  `    ct status dnat oifname "${bridge}" ip saddr 127.0.0.0/8 masquerade`,
  '  }',
  '  chain guard {',
  '    type filter hook prerouting priority raw; policy accept;',
  `    iifname "${bridge}" ip daddr 127.0.0.0/8 drop`,
  `    iifname "${bridge}" ip saddr 127.0.0.0/8 drop`,
  '  }',
];

const chains6: readonly string[] = [
  ...['prerouting', 'output'].flatMap(hook => [
    `  chain ${hook} {`,
    `    type nat hook ${hook} priority -105; policy accept;`,
    '    fib daddr type local ip6 daddr != ::1 jump lead',
    '  }',
  ]),
  '  chain postrouting {',
  '    type nat hook postrouting priority 95; policy accept;',
  '    ct status dnat ip6 saddr . ip6 daddr @own masquerade',
  '  }',
];

/** What the table of one family holds. */
export function elementsOf(family: Family, all: Iterable<Mapped>) {
  const any = new Map<string, string>();
  const one = new Map<string, string>();
  const own = new Set<string>();
  for (const { addresses, ports } of all) {
    const address = addressOf(family, addresses);
    if (address) own.add(`${address} . ${address}`);
    for (const { hostPort, containerPort, protocol, hostIP } of address ? ports : []) {
      const key = `${protocol} . ${hostPort}`;
      const target = `${address} . ${containerPort}`;
      if (isEverywhere(family, hostIP)) any.set(key, target);
      else if (hostIP && familyOf(hostIP) === family.version) one.set(`${hostIP} . ${key}`, target);
    }
  }
  return { any, one, own };
}

/** As for a socket: `::` is every address of either family, `0.0.0.0` of IPv4. */
const isEverywhere = ({ wildcard }: Pick<Family, 'wildcard'>, hostIP: string | undefined): boolean =>
  !hostIP || hostIP === '::' || hostIP === wildcard;

/**
 * Also what came while the port led nowhere, which was not translated. Pure.
 * @param own addresses of the node
 * @param holders who may keep connections of these ports
 */
export function staleUdp(
  version: 4 | 6,
  ports: readonly PortMapping[],
  own: readonly string[],
  holders: readonly string[],
): ForgetConnections[] {
  const family = families.find(one => one.version === version)!;
  return ports
    .filter(({ protocol }) => protocol === 'udp')
    .flatMap(({ hostPort: port, containerPort, hostIP }) => {
      const keep = holders.filter(one => familyOf(one) === version).map(address => `${address} ${containerPort}`);
      const addresses = isEverywhere(family, hostIP) ? own : [hostIP ?? ''].filter(one => familyOf(one) === version);
      return addresses.map(address => ({ address, port, keep }));
    });
}
