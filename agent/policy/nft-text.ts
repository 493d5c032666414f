/**
 * A plan → the text of one nft transaction. One look-up by address leads to the chain of a pod's group, which asks each of
 * its policies; large sets of peers are sets of the kernel. Egress and ingress are base chains of their own: to be accepted
 * by the one leads to the other. Pure.
 */
import type { Allowed, Direction, PolicyPlan } from './plan.js';

export const policyTable = 'keelson_policies';

const directions = ['in', 'out'] as const;
/** Whose address is compared with the peers. */
const peerOf: Readonly<Record<Direction, string>> = { in: 'ip saddr', out: 'ip daddr' };

/** The table as a whole, in the place of whatever is there. */
export function wholeTable(plan: PolicyPlan): string {
  return [
    `add table ip ${policyTable}`,
    `delete table ip ${policyTable}`,
    `table ip ${policyTable} {`,
    ...directions.flatMap(direction => setsOf(plan, direction)),
    ...directions.flatMap(direction => policyChains(plan, direction)),
    ...directions.flatMap(direction => groupChains(plan, direction)),
    ...directions.map(direction => podsMap(plan, direction)),
    ...baseChains,
    '}',
    '',
  ].join('\n');
}

export const removeTable = `add table ip ${policyTable}\ndelete table ip ${policyTable}\n`;

/** What came in answer, or belongs to what was allowed, goes on: so do connections that are older than a policy. */
const baseChains = [
  'chain leave { type filter hook forward priority -5; policy accept;',
  'ct state established,related accept',
  'ip saddr vmap @pods_out',
  '}',
  'chain enter { type filter hook forward priority -4; policy accept;',
  'ct state established,related accept',
  'ip daddr vmap @pods_in',
  '}',
  // the node's own addresses, the cluster's DNS among them; what the node itself sends to its pods is always allowed
  'chain node { type filter hook input priority -5; policy accept;',
  'ct state established,related accept',
  'ip saddr vmap @pods_out',
  '}',
];

function podsMap({ groups }: PolicyPlan, direction: Direction): string {
  const elements = [...groups[direction]].map(([address, group]) => `${address} : goto group_${direction}_${group}`);
  return `map pods_${direction} { type ipv4_addr : verdict; ${elementsText(elements)} }`;
}

const elementsText = (elements: readonly string[]): string =>
  elements.length > 0 ? `elements = { ${elements.join(', ')} }` : '';

const setName = (direction: Direction, policy: string, i: number): string => `peers_${direction}_${policy}_${i}`;
const chainName = (direction: Direction, policy: string): string => `policy_${direction}_${policy}`;

function setsOf({ rules }: PolicyPlan, direction: Direction): string[] {
  return [...rules[direction]].flatMap(([policy, all]) =>
    all.flatMap(({ peers }, i) =>
      peers && peers.addresses.length > 0
        ? [`set ${setName(direction, policy, i)} { type ipv4_addr; ${elementsText(peers.addresses)} }`]
        : [],
    ),
  );
}

function policyChains({ rules }: PolicyPlan, direction: Direction): string[] {
  return [...rules[direction]].map(([policy, all]) => {
    const lines = all.flatMap((allowed, i) => linesOf(allowed, direction, setName(direction, policy, i)));
    return [`chain ${chainName(direction, policy)} {`, ...lines, '}'].join('\n');
  });
}

function groupChains({ members }: PolicyPlan, direction: Direction): string[] {
  return [...members[direction]].map(([group, policies]) => {
    const jumps = policies.map(policy => `jump ${chainName(direction, policy)}`);
    return [`chain group_${direction}_${group} {`, ...jumps, 'counter drop', '}'].join('\n');
  });
}

/** Every way to say who, with every way to say what. */
function linesOf({ peers, ports }: Allowed, direction: Direction, set: string): string[] {
  const who = peers ? whoOf(peers, direction, set) : [''];
  const what = ports ? whatOf(ports) : [''];
  return who.flatMap(w => what.map(p => [w, p, 'accept'].filter(Boolean).join(' ')));
}

function whoOf({ addresses, blocks }: NonNullable<Allowed['peers']>, direction: Direction, set: string): string[] {
  const peer = peerOf[direction];
  const known = addresses.length > 0 ? [`${peer} @${set}`] : [];
  const ranges = blocks.map(({ cidr, except = [] }) =>
    except.length > 0 ? `${peer} ${cidr} ${peer} != { ${except.join(', ')} }` : `${peer} ${cidr}`,
  );
  return [...known, ...ranges];
}

function whatOf({ ranges, named }: NonNullable<Allowed['ports']>): string[] {
  const numbers = ranges.map(({ protocol, from, to }) =>
    from === 0 ? `meta l4proto ${protocol}` : `${protocol} dport ${from === to ? from : `${from}-${to}`}`,
  );
  const pairs = [...new Set(named.map(({ address, protocol, port }) => `${address} . ${protocol} . ${port}`))];
  return pairs.length > 0 ? [...numbers, `ip daddr . meta l4proto . th dport { ${pairs.join(', ')} }`] : numbers;
}
