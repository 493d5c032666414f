/**
 * A plan → the text of one nft transaction. One look-up by address leads to the chain of a pod's group, which asks each of
 * its policies; peers are sets of the kernel. Egress and ingress are base chains of their own: to be accepted by the one
 * leads to the other. Pure.
 */
import { ipv6PodLinkGroup, podLinkGroup } from '../../cni/rules.js';
import { elementText, groupName, type PolicySet, peersName, portsName, setsOf } from './elements.js';
import type { Allowed, Direction, Family, PolicyPlan } from './plan.js';

export const policyTable = 'keelson_policies';

const directions = ['in', 'out'] as const;
/** Whose address is compared with the peers. */
const peerOf = (family: Family, direction: Direction): string => `${family} ${direction === 'in' ? 'saddr' : 'daddr'}`;

/** The table as a whole, in the place of whatever is there. */
export function wholeTable(plan: PolicyPlan): string {
  return tableText(plan, setsOf(plan));
}

/** What differs between two plans beyond their elements: if nothing, elements are all that need be changed. */
export function skeleton(plan: PolicyPlan): string {
  return tableText(
    plan,
    setsOf(plan).map(set => ({ ...set, elements: [] })),
  );
}

function tableText(plan: PolicyPlan, sets: readonly PolicySet[]): string {
  const { family } = plan;
  return [
    removeTable(family),
    `table ${family} ${policyTable} {`,
    // chains that a map leads to come first
    ...sets.filter(({ kind }) => kind !== 'pods').map(set => setText(family, set)),
    ...directions.flatMap(direction => policyChains(plan, direction)),
    ...directions.flatMap(direction => groupChains(plan, direction)),
    ...sets.filter(({ kind }) => kind === 'pods').map(set => setText(family, set)),
    ...baseChains(family),
    '}',
    family === 'ip6' ? noLinkLocal : '',
  ].join('\n');
}

function setText(family: Family, { name, kind, elements }: PolicySet): string {
  const address = family === 'ip' ? 'ipv4_addr' : 'ipv6_addr';
  const type = { addresses: address, ports: `${address} . inet_proto . inet_service`, pods: `${address} : verdict` };
  const all = elements.length > 0 ? ` elements = { ${elements.map(elementText).join(', ')} }` : '';
  return `${kind === 'pods' ? 'map' : 'set'} ${name} { type ${type[kind]};${all} }`;
}

/** Success if it is not there. */
export function removeTable(family: Family): string {
  const tables = family === 'ip' ? ['ip'] : ['ip6', 'bridge'];
  return tables.map(of => `add table ${of} ${policyTable}\ndelete table ${of} ${policyTable}\n`).join('');
}

/** How neighbours find each other (RFC 4861), and who listens to which group (RFC 3810): without, nobody reaches anybody. */
const neighbours =
  '{ nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report }';

/** What came in answer, or belongs to what was allowed, goes on: so do connections that are older than a policy. */
function baseChains(family: Family): string[] {
  const always = [
    'ct state established,related accept',
    ...(family === 'ip6' ? [`icmpv6 type ${neighbours} accept`] : []),
  ];
  return [
    'chain leave { type filter hook forward priority -5; policy accept;',
    ...always,
    `${family} saddr vmap @pods_out`,
    '}',
    'chain enter { type filter hook forward priority -4; policy accept;',
    ...always,
    `${family} daddr vmap @pods_in`,
    '}',
    // the node's own addresses, the cluster's DNS among them; what the node itself sends to its pods is always allowed
    'chain node { type filter hook input priority -5; policy accept;',
    ...always,
    `${family} saddr vmap @pods_out`,
    '}',
  ];
}

const podLinks = `{ ${podLinkGroup}, ${ipv6PodLinkGroup} }`;

/**
 * Every link has an address of its own making (RFC 4291, 2.5.6) that no policy speaks of: pods must not get round their
 * policies by it. Nothing but neighbour discovery goes that way, as long as any pod of this node has a policy.
 */
const noLinkLocal = [
  `table bridge ${policyTable} {`,
  ...['forward', 'input'].map(hook =>
    [
      `chain ${hook} { type filter hook ${hook} priority -5; policy accept;`,
      `iifgroup ${podLinks} ip6 saddr fe80::/10 icmpv6 type != ${neighbours} drop`,
      `iifgroup ${podLinks} ip6 saddr fe80::/10 meta l4proto != icmpv6 drop`,
      '}',
    ].join('\n'),
  ),
  '}',
  '',
].join('\n');

const chainName = (direction: Direction, policy: string): string => `policy_${direction}_${policy}`;

function policyChains({ family, rules }: PolicyPlan, direction: Direction): string[] {
  return [...rules[direction]].map(([policy, all]) => {
    const lines = all.flatMap((allowed, i) => linesOf(allowed, { family, direction, policy, i }));
    return [`chain ${chainName(direction, policy)} {`, ...lines, '}'].join('\n');
  });
}

function groupChains({ members }: PolicyPlan, direction: Direction): string[] {
  return [...members[direction]].map(([group, policies]) => {
    const jumps = policies.map(policy => `jump ${chainName(direction, policy)}`);
    return [`chain ${groupName(direction, group)} {`, ...jumps, 'counter drop', '}'].join('\n');
  });
}

/** Where a rule stands, which its sets are named by. */
interface Place {
  readonly family: Family;
  readonly direction: Direction;
  readonly policy: string;
  readonly i: number;
}

/** Every way to say who, with every way to say what. */
function linesOf({ peers, ports }: Allowed, place: Place): string[] {
  const who = peers ? whoOf(peers, place) : [''];
  const what = ports ? whatOf(ports, place) : [''];
  return who.flatMap(w => what.map(p => [w, p, 'accept'].filter(Boolean).join(' ')));
}

function whoOf({ blocks }: NonNullable<Allowed['peers']>, { family, direction, policy, i }: Place): string[] {
  const peer = peerOf(family, direction);
  const ranges = blocks.map(({ cidr, except = [] }) =>
    except.length > 0 ? `${peer} ${cidr} ${peer} != { ${except.join(', ')} }` : `${peer} ${cidr}`,
  );
  return [`${peer} @${peersName(direction, policy, i)}`, ...ranges];
}

function whatOf({ ranges, byName }: NonNullable<Allowed['ports']>, { family, direction, policy, i }: Place): string[] {
  const numbers = ranges.map(({ protocol, from, to }) =>
    from === 0 ? `meta l4proto ${protocol}` : `${protocol} dport ${from === to ? from : `${from}-${to}`}`,
  );
  const named = `${family} daddr . meta l4proto . th dport @${portsName(direction, policy, i)}`;
  return byName ? [...numbers, named] : numbers;
}
