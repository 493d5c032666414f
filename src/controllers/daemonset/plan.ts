/** What to do next with the pods of a DaemonSet, node by node, and during an update within its bounds. Pure. */
import type { DaemonSet } from '../../kube/api/apps-v1.js';
import type { Node } from '../../kube/node.js';
import type { Pod } from '../../kube/pod.js';
import { parseTime } from '../../kube/time.js';
import { isPodActive, isPodAvailable } from '../pods/condition.js';
import { resolveIntOrPercent } from '../pods/int-or-percent.js';
import { type Fit, fitOf, hashOf, nodeOf } from './pods.js';

export interface Situation {
  readonly set: DaemonSet;
  readonly nodes: readonly Node[];
  readonly pods: readonly Pod[];
  /** Hash of the template as it is now. */
  readonly hash: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export interface Plan {
  /** Nodes that get a pod, with how often in a row one has failed there. */
  readonly create: readonly { readonly node: string; readonly failures: number }[];
  readonly remove: readonly Pod[];
  /** Ended pods among `remove`: worth a warning. */
  readonly ended: readonly Pod[];
  /** Milliseconds until an ended pod is replaced. */
  readonly waitMs: number | undefined;
}

/** One node as the set sees it. */
export interface Place {
  readonly node: string;
  readonly fit: Fit;
  /** Oldest first; ended and ending ones too. */
  readonly pods: readonly Pod[];
}

export function placesOf({ set, nodes, pods }: Pick<Situation, 'set' | 'nodes' | 'pods'>): Place[] {
  const byNode = new Map<string, Pod[]>();
  for (const pod of pods) {
    const node = nodeOf(pod);
    if (node !== undefined) byNode.set(node, [...(byNode.get(node) ?? []), pod]);
  }
  return nodes.map(node => ({
    node: node.metadata.name,
    fit: fitOf(set, node),
    pods: (byNode.get(node.metadata.name) ?? []).sort(olderFirst),
  }));
}

/** Of equally old ones the one that is bound comes first. */
function olderFirst(a: Pod, b: Pod): number {
  const bound = Number(b.spec.nodeName !== undefined) - Number(a.spec.nodeName !== undefined);
  if (bound !== 0) return bound;
  const [ageA, ageB] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  return ageA === ageB ? (a.metadata.name < b.metadata.name ? -1 : 1) : ageA < ageB ? -1 : 1;
}

export function plan(situation: Situation): Plan {
  if (situation.set.metadata.deletionTimestamp) return { create: [], remove: [], ended: [], waitMs: undefined };
  const places = placesOf(situation);
  const kept = places.map(place => keep(situation, place));
  const update = situation.set.spec?.updateStrategy?.type === 'RollingUpdate' ? roll(situation, places) : idle;
  const waits = kept.map(({ waitMs }) => waitMs).filter(ms => ms !== undefined);
  const remove = new Set([...kept.flatMap(one => one.remove), ...update.remove, ...withoutNode(situation)]);
  return {
    create: [...kept.flatMap(one => one.create), ...update.create],
    remove: [...remove],
    ended: kept.flatMap(one => one.ended),
    waitMs: waits.length > 0 ? Math.min(...waits) : undefined,
  };
}

const idle: Plan = { create: [], remove: [], ended: [], waitMs: undefined };

/** One pod per node that wants one, none where it may not stay. */
function keep(situation: Situation, { node, fit, pods }: Place): Plan {
  if (!fit.stay) return { ...idle, remove: pods.filter(isHere) };
  if (!fit.run && pods.length === 0) return idle;
  const ended = pods.filter(pod => isHere(pod) && !isPodActive(pod));
  const [due, waitMs] = dueOf(ended, situation.now);
  const active = pods.filter(isPodActive);
  const surplus = surplusOf(situation, active);
  // one that ends holds its place: its ports and volumes may still be taken
  const free = fit.run && pods.length === due.length;
  const failures = due.length > 0 ? Math.max(...due.map(pod => failuresOf(pod, situation.now))) : 0;
  return { create: free ? [{ node, failures }] : [], remove: [...due, ...surplus], ended: due, waitMs };
}

const isHere = (pod: Pod): boolean => pod.metadata.deletionTimestamp === undefined;

/** The oldest stays; while an update may surge, the oldest of the old and of the new. */
function surplusOf({ set, hash }: Situation, active: readonly Pod[]): readonly Pod[] {
  if (active.length <= 1) return [];
  if (resolveIntOrPercent(set.spec?.updateStrategy?.rollingUpdate?.maxSurge, 100, 'up') === 0) return active.slice(1);
  const isNew = (pod: Pod): boolean => hashOf(pod) === hash;
  const keepers = [active.find(isNew), active.find(pod => !isNew(pod))];
  return active.filter(pod => !keepers.includes(pod));
}

export const failuresAnnotation = 'keelson.dev/failures-in-a-row';
const firstDelayMs = 1000;
const longestDelayMs = 900_000;

/** How often in a row pods of the set have failed on that node, this one included; a long life begins a new row. */
export function failuresOf({ metadata }: Pod, now: number): number {
  const ageMs = now - (parseTime(metadata.creationTimestamp ?? '') ?? now);
  return ageMs > 2 * longestDelayMs ? 1 : (Number(metadata.annotations?.[failuresAnnotation] ?? 0) || 0) + 1;
}

/** Ended pods whose time has come, and how long it is until the next's: 1 s, 2 s, 4 s… at most 15 min after it was made. */
function dueOf(ended: readonly Pod[], now: number): [Pod[], number | undefined] {
  const due: Pod[] = [];
  const waits: number[] = [];
  for (const pod of ended) {
    const delayMs = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(failuresOf(pod, now) - 1, 20));
    const leftMs = (parseTime(pod.metadata.creationTimestamp ?? '') ?? 0) + delayMs - now;
    if (leftMs <= 0) due.push(pod);
    else waits.push(leftMs);
  }
  return [due, waits.length > 0 ? Math.min(...waits) : undefined];
}

/** Not bound, and the node that they are for is gone: nobody else would ever remove them. */
function withoutNode({ nodes, pods }: Situation): Pod[] {
  const names = new Set(nodes.map(({ metadata }) => metadata.name));
  return pods.filter(pod => isHere(pod) && !pod.spec.nodeName && !names.has(nodeOf(pod) ?? ''));
}

interface Bounds {
  readonly maxUnavailable: number;
  readonly maxSurge: number;
}

export function boundsOf({ spec }: DaemonSet, desired: number): Bounds {
  const { maxUnavailable = 1, maxSurge } = spec?.updateStrategy?.rollingUpdate ?? {};
  const surge = resolveIntOrPercent(maxSurge, desired, 'up');
  const unavailable = resolveIntOrPercent(maxUnavailable, desired, 'up');
  return { maxSurge: surge, maxUnavailable: surge === 0 ? Math.max(1, unavailable) : unavailable };
}

function roll(situation: Situation, all: readonly Place[]): Plan {
  const places = all.filter(({ fit }) => fit.run);
  const bounds = boundsOf(situation.set, places.length);
  const states = places.map(place => stateOf(situation, place));
  return bounds.maxSurge > 0 ? replaceAfter(states, bounds.maxSurge) : replaceBefore(states, bounds.maxUnavailable);
}

interface State {
  readonly node: string;
  readonly old: Pod | undefined;
  readonly fresh: Pod | undefined;
  readonly oldAvailable: boolean;
  readonly freshAvailable: boolean;
  /** Nothing is there or on its way out. */
  readonly ending: boolean;
}

function stateOf({ set, hash, now }: Situation, { node, pods }: Place): State {
  const active = pods.filter(isPodActive);
  const fresh = active.find(pod => hashOf(pod) === hash);
  const old = active.find(pod => hashOf(pod) !== hash);
  const available = (pod: Pod | undefined): boolean =>
    pod !== undefined && isPodAvailable(pod, set.spec?.minReadySeconds ?? 0, now);
  return {
    node,
    old,
    fresh,
    oldAvailable: available(old),
    freshAvailable: available(fresh),
    ending: pods.some(pod => !isHere(pod)),
  };
}

/** First the old pod goes. What is not available anyway costs nothing, and goes at once. */
function replaceBefore(states: readonly State[], maxUnavailable: number): Plan {
  const unavailable = states.filter(({ oldAvailable, freshAvailable }) => !oldAvailable && !freshAvailable).length;
  const broken = states.filter(({ old, fresh, oldAvailable }) => old && !fresh && !oldAvailable);
  const candidates = states.filter(({ old, fresh, oldAvailable }) => old && !fresh && oldAvailable);
  const more = candidates.slice(0, Math.max(0, maxUnavailable - unavailable));
  return { ...idle, remove: [...broken, ...more].flatMap(({ old }) => old ?? []) };
}

/** First the new pod comes, and the old one goes when that is available. */
function replaceAfter(states: readonly State[], maxSurge: number): Plan {
  const surging = states.filter(({ old, fresh, freshAvailable }) => old && fresh && !freshAvailable).length;
  const waiting = states.filter(({ old, fresh }) => old && !fresh);
  const broken = waiting.filter(({ oldAvailable }) => !oldAvailable);
  const candidates = waiting.filter(({ oldAvailable }) => oldAvailable);
  const more = candidates.slice(0, Math.max(0, maxSurge - surging - broken.length));
  return {
    ...idle,
    create: [...broken, ...more].map(({ node }) => ({ node, failures: 0 })),
    remove: states.flatMap(({ old, freshAvailable }) => (old && freshAvailable ? [old] : [])),
  };
}
