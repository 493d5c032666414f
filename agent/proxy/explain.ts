/** The way of a packet to a Service, in words, as each mode has it. Pure. */
import type { ProxyEndpoint, ServiceEntry } from './contract.js';
import { chainNames, endpointChain, portNameOf, socketAddress } from './iptables/names.js';
import { tableName as ipvsTable } from './ipvs/layout.js';
import { pickName, words } from './nftables/layout.js';
import { tableName as userspaceTable } from './userspace/layout.js';

/** The modes that a kernel can be in. */
export type RunningMode = 'nftables' | 'iptables' | 'ipvs' | 'userspace';

export interface Step {
  /** What the packet meets: a chain, an element, a virtual server. */
  readonly at: string;
  readonly words: string;
}

/** @param mode what serves here @returns in the order in which a packet meets them */
export function explain(entry: ServiceEntry, mode: RunningMode): Step[] {
  return [
    ...guard(entry, mode),
    ...ways[mode](entry),
    ...endpointSteps(entry),
    ...affinity(entry, mode),
    source(entry, mode),
  ];
}

/** `10.96.0.10:80/tcp`, `*:30080/tcp` */
export const addressOf = ({ address, port, protocol }: ServiceEntry): string =>
  `${address === undefined ? '*' : socketAddress({ address, port }).replace(/:\d+$/, '')}:${port}/${protocol}`;

/** A key of nftables. */
export const keyOf = ({ address, protocol, port }: ServiceEntry): string =>
  [...(address === undefined ? [] : [address]), protocol, port].join(' . ');

const kinds = {
  clusterIP: 'the cluster address',
  externalIP: 'an external address',
  loadBalancer: 'an address of the load balancer',
  nodePort: 'a port of every address of this node but its loopback',
} as const;
export const kindOf = ({ kind }: ServiceEntry): string => kinds[kind];

function guard({ sourceRanges, ...entry }: ServiceEntry, mode: RunningMode): Step[] {
  if (!sourceRanges) return [];
  const { firewall } = chainNames(portNameOf(entry), entry.protocol);
  const at = mode === 'iptables' ? `chain ${firewall} (nat), KUBE-PROXY-FIREWALL (filter)` : 'sets guarded, allowed';
  return [{ at, words: `only from ${sourceRanges.join(', ') || 'nowhere'}; all others are dropped` }];
}

const others = (entry: ServiceEntry): string =>
  entry.inside ? '; what pods and this node send goes to all endpoints, wherever they are' : '';
const refused = ({ none }: ServiceEntry): string =>
  none === 'reject'
    ? 'nobody serves: rejected (TCP reset, else port unreachable)'
    : 'nobody on this node serves, and no other may: dropped';
const even = (endpoints: readonly ProxyEndpoint[]): string => `one of ${endpoints.length}, each as likely`;

const ways: Readonly<Record<RunningMode, (entry: ServiceEntry) => Step[]>> = {
  nftables: entry => {
    const node = entry.address === undefined;
    const count = entry.endpoints.length;
    const chain =
      count > 0 ? pickName({ node, inside: false, sticky: entry.affinitySeconds !== undefined, count }) : undefined;
    const map = `table ${words[entry.family].table} keelson_services, map ${node ? 'nodes' : 'services'} { ${keyOf(entry)} }`;
    if (!chain) return [{ at: map, words: refused(entry) + others(entry) }];
    return [
      { at: map, words: `leads to chain ${chain}${others(entry)}` },
      { at: `chain ${chain}`, words: `draws ${even(entry.endpoints)}, and translates the destination (dnat)` },
    ];
  },
  iptables: entry => {
    const names = chainNames(portNameOf(entry), entry.protocol);
    const isLocal = entry.none === 'drop' || entry.inside !== undefined;
    const leading = entry.address === undefined ? 'KUBE-NODEPORTS' : 'KUBE-SERVICES';
    const filter = entry.kind === 'clusterIP' ? 'KUBE-SERVICES' : 'KUBE-EXTERNAL-SERVICES';
    if (entry.endpoints.length === 0)
      return [{ at: `chain ${filter} (filter)`, words: refused(entry) + others(entry) }];
    const pick = isLocal ? names.local : names.cluster;
    const chances = entry.endpoints.map(
      one => `${endpointChain(portNameOf(entry), entry.protocol, one)} → ${socketAddress(one)}`,
    );
    return [
      ...(entry.kind === 'clusterIP'
        ? [{ at: `chain ${leading} (nat)`, words: `jumps to ${pick}` }]
        : [
            { at: `chain ${leading} (nat)`, words: `jumps to ${entry.sourceRanges ? names.firewall : names.external}` },
            { at: `chain ${names.external} (nat)`, words: `jumps to ${pick}${others(entry)}` },
          ]),
      { at: `chain ${pick} (nat)`, words: `${even(entry.endpoints)}: ${chances.join(', ')}` },
    ];
  },
  ipvs: entry => {
    if (entry.endpoints.length === 0)
      return [
        {
          at: `table ${ipvsTable}, map ${entry.address === undefined ? 'node_none' : 'none'}`,
          words: refused(entry) + others(entry),
        },
      ];
    return [
      ...(entry.address === undefined
        ? []
        : [{ at: 'link kube-ipvs0', words: `holds ${entry.address}: the packet stays on this node` }]),
      {
        at: `virtual server ${addressOf(entry)}`,
        words: `chooses among ${entry.endpoints.length} by its scheduler${entry.inside ? '; what pods and this node send is marked, and meets another one with all endpoints' : ''}`,
      },
    ];
  },
  userspace: entry => {
    const map = entry.address === undefined ? 'nodes' : 'services';
    const at = `table ${words[entry.family].table} ${userspaceTable}, map ${entry.endpoints.length > 0 ? map : map === 'nodes' ? 'node_none' : 'none'} { ${keyOf(entry)} }`;
    if (entry.endpoints.length === 0) return [{ at, words: refused(entry) + others(entry) }];
    return [
      { at, words: `redirects to a port of the agent${others(entry)}` },
      {
        at: 'keelson agent',
        words: `takes the ${entry.endpoints.length} endpoints one after another, and carries the bytes`,
      },
    ];
  },
};

function endpointSteps({ endpoints, inside }: ServiceEntry): Step[] {
  const say = (list: readonly ProxyEndpoint[], who: string) =>
    list.map(one => ({
      at: `endpoint ${socketAddress(one)}`,
      words: `${one.local ? 'on this node' : 'on another node'}${who}`,
    }));
  const rest = (inside ?? []).filter(one => !endpoints.some(two => socketAddress(two) === socketAddress(one)));
  return [...say(endpoints, ''), ...say(rest, ', for pods and this node only')];
}

function affinity({ affinitySeconds }: ServiceEntry, mode: RunningMode): Step[] {
  if (affinitySeconds === undefined) return [];
  const where = {
    nftables: 'map affinity',
    iptables: 'match recent',
    ipvs: 'persistence',
    userspace: 'the agent',
  } as const;
  return [
    { at: where[mode], words: `a client comes back to the endpoint that it had less than ${affinitySeconds} s ago` },
  ];
}

function source({ masquerade }: ServiceEntry, mode: RunningMode): Step {
  if (mode === 'userspace')
    return { at: 'source address', words: "becomes this node's: the agent makes the connection" };
  const what = {
    all: "becomes this node's (masquerade), whoever sends",
    outside: "stays for pods; of anybody else it becomes this node's (masquerade)",
    node: 'stays; only what this node sends gets its address towards the pod (masquerade)',
  } as const;
  return { at: 'source address', words: `${what[masquerade]}; of a pod that reaches itself too` };
}

/** Why a Service has no entries at all. */
export function whyNone(spec: { type?: string; clusterIP?: string } | undefined, servedElsewhere: boolean): string {
  if (servedElsewhere)
    return 'it is answered by the agent itself or by another proxy, as its labels say: no rule leads to it';
  if (spec?.type === 'ExternalName')
    return 'it is a name only (ExternalName): the DNS answers with an alias, no packet is led';
  if (spec?.clusterIP === 'None')
    return 'it is headless: the DNS answers with the addresses of its pods, no packet is led';
  return 'it has no cluster address yet';
}
