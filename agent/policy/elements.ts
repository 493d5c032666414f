/**
 * What of a plan changes all the time: addresses, as elements of the kernel's sets and maps, and the difference of two
 * such. Pure.
 */
import type { NftChange } from '../../native/index.js';
import type { Protocol } from '../proxy/contract.js';
import { batch, type RawElement } from '../proxy/nftables/batch.js';
import { addressBytes, portBytes, protocolBytes } from '../proxy/nftables/encode.js';
import type { Direction, PolicyPlan } from './plan.js';

export interface PolicyElement {
  readonly address: string;
  /** Of a port by name, with `port`. */
  readonly protocol?: string;
  readonly port?: number;
  /** Of a map of pods: the chain that their packets go to. */
  readonly chain?: string;
}

/** One set or map of the table. */
export interface PolicySet {
  readonly name: string;
  readonly kind: 'addresses' | 'ports' | 'pods';
  readonly elements: readonly PolicyElement[];
}

const directions = ['in', 'out'] as const;

export const podsName = (direction: Direction): string => `pods_${direction}`;
export const groupName = (direction: Direction, group: string): string => `group_${direction}_${group}`;
/** Of the rule at place `i` of a policy. */
export const peersName = (direction: Direction, policy: string, i: number): string =>
  `peers_${direction}_${policy}_${i}`;
export const portsName = (direction: Direction, policy: string, i: number): string =>
  `ports_${direction}_${policy}_${i}`;

export function setsOf(plan: PolicyPlan): PolicySet[] {
  return directions.flatMap(direction => [...setsOfRules(plan, direction), podsOf(plan, direction)]);
}

function setsOfRules({ rules }: PolicyPlan, direction: Direction): PolicySet[] {
  return [...rules[direction]].flatMap(([policy, all]) =>
    all.flatMap(({ peers, ports }, i): PolicySet[] => [
      ...(peers
        ? [
            {
              name: peersName(direction, policy, i),
              kind: 'addresses',
              elements: peers.addresses.map(address => ({ address })),
            } as const,
          ]
        : []),
      ...(ports?.byName
        ? [{ name: portsName(direction, policy, i), kind: 'ports', elements: distinct(ports.named) } as const]
        : []),
    ]),
  );
}

const podsOf = ({ groups }: PolicyPlan, direction: Direction): PolicySet => ({
  name: podsName(direction),
  kind: 'pods',
  elements: [...groups[direction]].map(([address, group]) => ({ address, chain: groupName(direction, group) })),
});

/** A pod may name one port twice. */
const distinct = (elements: readonly PolicyElement[]): PolicyElement[] => [
  ...new Map(elements.map(element => [elementText(element), element])).values(),
];

/** As nft reads it. */
export function elementText({ address, protocol, port, chain }: PolicyElement): string {
  const key = protocol === undefined ? address : `${address} . ${protocol} . ${port}`;
  return chain === undefined ? key : `${key} : goto ${chain}`;
}

/** From the one to the other, which have the same sets. */
export function setDifference(before: readonly PolicySet[], after: readonly PolicySet[]): NftChange[] {
  const parts = after.map((set, i) => {
    const had = new Map((before[i]?.elements ?? []).map(element => [elementText(element), element]));
    const has = new Map(set.elements.map(element => [elementText(element), element]));
    return {
      gone: [...had].flatMap(([text, element]) => (has.has(text) ? [] : [raw(set.name, element)])),
      come: [...has].flatMap(([text, element]) => (had.has(text) ? [] : [raw(set.name, element)])),
    };
  });
  return batch(
    parts.flatMap(({ gone }) => gone),
    parts.flatMap(({ come }) => come),
  );
}

function raw(set: string, { address, protocol, port = 0, chain }: PolicyElement): RawElement {
  const parts = protocol === undefined ? [] : [protocolBytes(protocol as Protocol), portBytes(port)];
  return { set, key: Buffer.concat([addressBytes(address), ...parts]), ...(chain !== undefined && { chain }) };
}
