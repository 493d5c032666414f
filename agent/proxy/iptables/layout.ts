/** Chains and rules that are there whatever Services there are, and the jumps that lead to them. Pure. */
import type { BackendOptions, Family } from '../contract.js';

export type Table = 'filter' | 'nat' | 'mangle';
export const tables = ['mangle', 'filter', 'nat'] as const;

/** Chains to which Services add rules. */
export const sharedChains = [
  'filter KUBE-EXTERNAL-SERVICES',
  'filter KUBE-PROXY-FIREWALL',
  'filter KUBE-SERVICES',
  'nat KUBE-NODEPORTS',
  'nat KUBE-SERVICES',
] as const;
export type SharedChain = (typeof sharedChains)[number];

/** Whose source becomes the node's. As kubelet and kube-proxy have always had it. */
export const masqueradeMark = '0x4000';
const marked = `${masqueradeMark}/${masqueradeMark}`;

export const comment = (text: string): string => `-m comment --comment "${text}"`;

/** From a chain of the kernel to one of ours. */
export interface Hook {
  readonly table: Table;
  readonly chain: string;
  readonly rule: string;
}

const fresh = '-m conntrack --ctstate NEW';

/** First come those that are met last: each is put before all others. */
export const hooks: readonly Hook[] = [
  ...['INPUT', 'FORWARD', 'OUTPUT'].flatMap(chain => [
    {
      table: 'filter' as const,
      chain,
      rule: `${fresh} ${comment('kubernetes externally-visible service portals')} -j KUBE-EXTERNAL-SERVICES`,
    },
    {
      table: 'filter' as const,
      chain,
      rule: `${fresh} ${comment('kubernetes load balancer firewall')} -j KUBE-PROXY-FIREWALL`,
    },
  ]),
  ...['FORWARD', 'OUTPUT'].map(chain => ({
    table: 'filter' as const,
    chain,
    rule: `${fresh} ${comment('kubernetes service portals')} -j KUBE-SERVICES`,
  })),
  {
    table: 'filter',
    chain: 'INPUT',
    rule: `${comment('kubernetes health check service ports')} -j KUBE-NODEPORTS`,
  },
  { table: 'filter', chain: 'FORWARD', rule: `${comment('kubernetes forwarding rules')} -j KUBE-FORWARD` },
  ...['PREROUTING', 'OUTPUT'].map(chain => ({
    table: 'nat' as const,
    chain,
    rule: `${comment('kubernetes service portals')} -j KUBE-SERVICES`,
  })),
  { table: 'nat', chain: 'POSTROUTING', rule: `${comment('kubernetes postrouting rules')} -j KUBE-POSTROUTING` },
];

/** Written anew at each whole sync. A canary that is gone tells that somebody flushed its table. */
export function fixedChains(
  options: BackendOptions,
  translatesBridged: boolean,
): ReadonlyMap<string, readonly string[]> {
  const bridged = `-i ${options.bridge} -o ${options.bridge} -m conntrack --ctstate DNAT`;
  return new Map<string, readonly string[]>([
    ...tables.map(table => [`${table} KUBE-PROXY-CANARY`, []] as const),
    [
      'filter KUBE-FORWARD',
      [
        // a late packet that conntrack does not know would reset a healthy connection
        '-m conntrack --ctstate INVALID -j DROP',
        // without br_netfilter an answer between pods of one node would not be translated back
        ...(translatesBridged ? [] : [`${bridged} -j MARK --or-mark ${masqueradeMark}`]),
        `${comment('kubernetes forwarding rules')} -m mark --mark ${marked} -j ACCEPT`,
        `${comment('kubernetes forwarding conntrack rule')} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
      ],
    ],
    ['filter KUBE-NODEPORTS', []],
    ['nat KUBE-MARK-MASQ', [`-j MARK --or-mark ${masqueradeMark}`]],
    [
      'nat KUBE-POSTROUTING',
      [
        `-m mark ! --mark ${marked} -j RETURN`,
        // a packet that passes here twice (in a tunnel) is translated once
        `-j MARK --xor-mark ${masqueradeMark}`,
        `${comment('kubernetes service traffic requiring SNAT')} -j MASQUERADE --random-fully`,
      ],
    ],
  ]);
}

/** What a shared chain ends with. A node port is open on all addresses of the node but its loopback's. */
export function lastRules(family: Family): ReadonlyMap<string, readonly string[]> {
  const loopback = family === 'IPv4' ? '127.0.0.0/8' : '::1/128';
  const note = comment('kubernetes service nodeports; NOTE: this must be the last rule in this chain');
  return new Map([['nat KUBE-SERVICES', [`${note} -m addrtype --dst-type LOCAL ! -d ${loopback} -j KUBE-NODEPORTS`]]]);
}

const ours =
  /^KUBE-(SERVICES|NODEPORTS|EXTERNAL-SERVICES|PROXY-FIREWALL|PROXY-CANARY|FORWARD|MARK-MASQ|POSTROUTING|(SVC|SVL|EXT|FW|SEP)-[A-Z2-7]{16})$/;
export const isOurChain = (chain: string): boolean => ours.test(chain);

/** Whether a rule of a chain that is not ours is one of the hooks; others may use our chains as they like. */
export const isHook = (table: Table, chain: string, target: string): boolean =>
  hooks.some(hook => hook.table === table && hook.chain === chain && hook.rule.endsWith(` -j ${target}`));
