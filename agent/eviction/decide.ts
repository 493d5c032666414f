/**
 * Measurements → which pressure the node is under, and whether something must go now. Pure: thousands of histories can be
 * run through it. The rules are kubelet's (eviction manager): a hard threshold counts at once, a soft one after its grace;
 * one that was met is over only when its minimum reclaim is free as well; a condition stays for the transition period.
 */
import {
  type EvictionOptions,
  isMet,
  type Measurements,
  resourceOf,
  type Signal,
  signals,
  type Threshold,
} from './thresholds.js';

export const pressures = ['MemoryPressure', 'DiskPressure', 'PIDPressure'] as const;
export type Pressure = (typeof pressures)[number];

/** What is remembered between two looks. Times in milliseconds of one clock. */
export interface PressureState {
  /** Since when each threshold has been met without a break, by its place in the list. */
  readonly since: ReadonlyMap<number, number>;
  /** When each condition was last called for. */
  readonly seen: ReadonlyMap<Pressure, number>;
}

export const noPressure: PressureState = { since: new Map(), seen: new Map() };

export interface Verdict {
  readonly state: PressureState;
  /** In the order of `pressures`. */
  readonly conditions: readonly Pressure[];
  /** Something must be made free of this, now. */
  readonly reclaim: Threshold | undefined;
  /** All that are met and whose grace is over. */
  readonly met: readonly Threshold[];
}

export const pressureOf = (signal: Signal): Pressure => {
  const resource = resourceOf(signal);
  return resource === 'memory' ? 'MemoryPressure' : resource === 'pids' ? 'PIDPressure' : 'DiskPressure';
};

export function decide(
  measured: Measurements,
  { thresholds, transitionMs }: EvictionOptions,
  before: PressureState,
  now: number,
): Verdict {
  const since = metSince(measured, thresholds, before, now);
  const seen = new Map(before.seen);
  for (const place of since.keys()) {
    const threshold = thresholds[place];
    if (threshold) seen.set(pressureOf(threshold.signal), now);
  }
  const met = [...since].flatMap(([place, at]) => {
    const threshold = thresholds[place];
    return threshold && now - at >= (threshold.graceMs ?? 0) ? [threshold] : [];
  });
  return {
    state: { since, seen },
    conditions: pressures.filter(p => {
      const last = seen.get(p);
      return last !== undefined && (last === now || now - last < transitionMs);
    }),
    reclaim: met.toSorted((a, b) => urgency(a) - urgency(b))[0],
    met,
  };
}

function metSince(
  measured: Measurements,
  thresholds: readonly Threshold[],
  before: PressureState,
  now: number,
): Map<number, number> {
  const since = new Map<number, number>();
  for (const [place, threshold] of thresholds.entries()) {
    const at = before.since.get(place);
    const value = measured[threshold.signal];
    // what cannot be measured now is as it was
    const met = value ? isMet(threshold, value, at !== undefined) : at !== undefined;
    if (met) since.set(place, at ?? now);
  }
  return since;
}

/** Memory first; of one signal the hard threshold before the soft. */
const urgency = ({ signal, graceMs }: Threshold): number =>
  signals.indexOf(signal) * 2 + (graceMs === undefined ? 0 : 1);
