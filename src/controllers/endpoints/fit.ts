/**
 * Which slices to change so that they say what is wanted, with as few writes as possible: what has not changed stays where
 * it is; new endpoints go into slices that change anyhow, then into those with room, then into new ones. Pure.
 */
import type { Endpoint, EndpointPort, EndpointSlice } from '../../kube/api/discovery-v1.js';
import { deepEqual } from '../../kube/json.js';

/** Endpoints in a slice: Kubernetes' default. */
export const sliceSize = 100;

/** Endpoints of one family with the same ports. */
export interface Group {
  readonly addressType: string;
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

export interface Fitted {
  /** Slices to be kept, with what they shall hold: the same array where nothing changes. */
  readonly kept: readonly { readonly slice: EndpointSlice; readonly endpoints: readonly Endpoint[] }[];
  readonly made: readonly Group[];
  readonly gone: readonly EndpointSlice[];
}

/** Tells endpoints apart: the pod, or the address where nobody says whose it is. */
export const identityOf = ({ targetRef, addresses }: Endpoint): string => targetRef?.uid ?? addresses?.[0] ?? '';

/**
 * @param groups all that is wanted of these slices; a group without endpoints keeps one empty slice, which says that nobody
 *   serves
 */
export function fitSlices(slices: readonly EndpointSlice[], groups: readonly Group[]): Fitted {
  const left = new Set(slices);
  const fitted = groups.map(group => {
    const same = [...left].filter(slice => isOf(slice, group));
    for (const slice of same) left.delete(slice);
    return fitGroup(same, group);
  });
  return {
    kept: fitted.flatMap(({ kept }) => kept),
    made: fitted.flatMap(({ made }) => made),
    gone: [...fitted.flatMap(({ gone }) => gone), ...left],
  };
}

const isOf = (slice: EndpointSlice, { addressType, ports }: Group): boolean =>
  slice.addressType === addressType && deepEqual(slice.ports ?? [], ports);

interface Draft {
  readonly slice: EndpointSlice;
  endpoints: readonly Endpoint[];
}

function fitGroup(slices: readonly EndpointSlice[], group: Group): Fitted {
  const wanted = new Map(group.endpoints.map(endpoint => [identityOf(endpoint), endpoint]));
  const drafts = slices.map((slice): Draft => ({ slice, endpoints: remaining(slice, wanted) }));
  const rest = fill(drafts, [...wanted.values()]);
  const filled = drafts.filter(({ endpoints }) => endpoints.length > 0);
  const kept = filled.length === 0 && rest.length === 0 ? drafts.slice(0, 1) : filled;
  const empty = group.endpoints.length === 0 && kept.length === 0;
  return {
    kept,
    made: (empty ? [[]] : chunks(rest)).map(endpoints => ({ ...group, endpoints })),
    gone: drafts.filter(draft => !kept.includes(draft)).map(({ slice }) => slice),
  };
}

/** Takes what stays out of `wanted`. */
function remaining({ endpoints = [] }: EndpointSlice, wanted: Map<string, Endpoint>): readonly Endpoint[] {
  const next = endpoints.flatMap(before => {
    const identity = identityOf(before);
    const after = wanted.get(identity);
    wanted.delete(identity);
    return after ? [deepEqual(before, after) ? before : after] : [];
  });
  return next.length === endpoints.length && next.every((one, i) => one === endpoints[i]) ? endpoints : next;
}

/** Puts `added` where there is room; returns what did not find any. */
function fill(drafts: readonly Draft[], added: readonly Endpoint[]): readonly Endpoint[] {
  let rest = added;
  for (const draft of [...drafts].sort(byUse)) {
    const room = sliceSize - draft.endpoints.length;
    if (rest.length === 0 || room <= 0) continue;
    draft.endpoints = [...draft.endpoints, ...rest.slice(0, room)];
    rest = rest.slice(room);
  }
  return rest;
}

/** First those that are written anyhow, then the fullest. */
const byUse = (a: Draft, b: Draft): number =>
  Number(isChanged(b)) - Number(isChanged(a)) || b.endpoints.length - a.endpoints.length;

export const isChanged = ({ slice, endpoints }: Fitted['kept'][number]): boolean =>
  !deepEqual(slice.endpoints ?? [], endpoints);

function chunks(endpoints: readonly Endpoint[]): (readonly Endpoint[])[] {
  const count = Math.ceil(endpoints.length / sliceSize);
  return Array.from({ length: count }, (_, i) => endpoints.slice(i * sliceSize, (i + 1) * sliceSize));
}
