/** What one entry of the table is in nftables: elements of our sets and maps, and the chains that they lead to. Pure. */
import type { ProxyEndpoint, ServiceEntry } from '../contract.js';
import type { RawElement } from './batch.js';
import { addressBytes, joined, portBytes, protocolBytes, rangeBytes, slotBytes } from './encode.js';
import {
  dropChain,
  insideSlots,
  masqueradeChains,
  type PickChain,
  pickName,
  rejectChain,
  rememberName,
  type SetName,
} from './layout.js';

export interface Element extends RawElement {
  readonly set: SetName;
}

/** Without those that several entries share: see `hairpinOf`. */
export function elementsOf(entry: ServiceEntry): Element[] {
  const node = entry.address === undefined;
  const key = serviceKeyOf(entry);
  const { inside } = entry;
  return [
    { set: node ? 'nodes' : 'services', key, chain: leadsTo(entry, entry.endpoints, false) },
    ...slots(entry, key, entry.endpoints, 0),
    ...(inside
      ? [
          { set: node ? 'nodes_inside' : 'services_inside', key, chain: leadsTo(entry, inside, true) } as const,
          ...slots(entry, key, inside, insideSlots),
        ]
      : []),
    { set: node ? 'node_masquerades' : 'masquerades', key, chain: masqueradeChains[entry.masquerade] },
    ...(entry.affinitySeconds === undefined
      ? []
      : [{ set: node ? 'node_remember' : 'remember', key, chain: rememberName(entry.affinitySeconds) } as const]),
    ...guards(entry, key),
  ];
}

const serviceKeyOf = ({ address, protocol, port }: ServiceEntry): Buffer =>
  address === undefined
    ? joined(protocolBytes(protocol), portBytes(port))
    : joined(addressBytes(address), protocolBytes(protocol), portBytes(port));

function leadsTo(entry: ServiceEntry, endpoints: readonly ProxyEndpoint[], inside: boolean): string {
  if (endpoints.length > 0) return pickName(pickOf(entry, endpoints, inside));
  return inside || entry.none === 'reject' ? rejectChain : dropChain;
}

const pickOf = (entry: ServiceEntry, endpoints: readonly ProxyEndpoint[], inside: boolean): PickChain => ({
  node: entry.address === undefined,
  inside,
  sticky: entry.affinitySeconds !== undefined,
  count: endpoints.length,
});

/** The chains that must be there before the elements of an entry can be. */
export function picksOf(entry: ServiceEntry): PickChain[] {
  const { endpoints, inside = [] } = entry;
  return [
    ...(endpoints.length > 0 ? [pickOf(entry, endpoints, false)] : []),
    ...(inside.length > 0 ? [pickOf(entry, inside, true)] : []),
  ];
}

function slots(entry: ServiceEntry, key: Buffer, endpoints: readonly ProxyEndpoint[], first: number): Element[] {
  const set = `${entry.address === undefined ? 'node_endpoints' : 'endpoints'}_${entry.protocol}` as const;
  return endpoints.map(({ address, port }, i) => ({
    set,
    key: joined(key, slotBytes(first + i)),
    value: joined(addressBytes(address), portBytes(port)),
  }));
}

function guards({ sourceRanges }: ServiceEntry, key: Buffer): Element[] {
  if (!sourceRanges) return [];
  return [
    { set: 'guarded', key },
    ...outermost(sourceRanges.map(rangeBytes)).map(
      ({ first, last }) => ({ set: 'allowed', key: joined(key, first), keyEnd: joined(key, last) }) as const,
    ),
  ];
}

type Range = ReturnType<typeof rangeBytes>;

/** CIDRs are apart or one within the other; a set of intervals takes only such as are apart. */
export function outermost<R extends Range>(ranges: readonly R[]): R[] {
  const sorted = [...ranges].sort((a, b) => a.first.compare(b.first) || b.last.compare(a.last));
  let end: Buffer | undefined;
  return sorted.filter(({ last }) => {
    if (end && last.compare(end) <= 0) return false;
    end = last;
    return true;
  });
}

/** Endpoints of this node that might reach themselves: entries share these elements. */
export function hairpinOf({ endpoints, inside = [] }: ServiceEntry): string[] {
  return [...endpoints, ...inside].filter(({ local }) => local).map(({ address }) => address);
}

export function hairpinElement(address: string): Element {
  const bytes = addressBytes(address);
  return { set: 'hairpin', key: joined(bytes, bytes) };
}

const identity = ({ set, key, keyEnd }: Element): string =>
  `${set} ${key.toString('latin1')}${keyEnd ? keyEnd.toString('latin1') : ''}`;

/** Only what differs: gone, and come. What leads elsewhere is both. */
export function elementDifference(
  before: readonly Element[],
  after: readonly Element[],
): { gone: Element[]; come: Element[] } {
  const old = new Map(before.map(element => [identity(element), element]));
  const come = after.filter(element => {
    const known = old.get(identity(element));
    if (!known || !sameValue(known, element)) return true;
    old.delete(identity(element));
    return false;
  });
  return { gone: [...old.values()], come };
}

const sameValue = (a: Element, b: Element): boolean =>
  a.chain === b.chain && (a.value === b.value || Boolean(a.value && b.value?.equals(a.value)));
