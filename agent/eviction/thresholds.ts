/**
 * When a node is under pressure: what is measured, and the thresholds that an administrator sets, in kubelet's syntax
 * (`memory.available<100Mi,nodefs.available<10%`). Pure.
 */
import { quantityNanos } from '../../src/kube/quantity.js';

export const signals = [
  'memory.available',
  'nodefs.available',
  'nodefs.inodesFree',
  'imagefs.available',
  'imagefs.inodesFree',
  'pid.available',
] as const;
export type Signal = (typeof signals)[number];

/** Bytes, inodes or processes. */
export interface Measured {
  readonly available: number;
  readonly capacity: number;
}
/** What could not be measured is not there, and no reason for anything. */
export type Measurements = Readonly<Partial<Record<Signal, Measured>>>;

/** An amount, or a share of the capacity (0.1 for 10%). */
export type Limit = { readonly amount: number } | { readonly share: number };

export interface Threshold {
  readonly signal: Signal;
  readonly limit: Limit;
  /** Soft: this long below before anything is evicted, in milliseconds. Hard: undefined. */
  readonly graceMs: number | undefined;
  /** At least so much is made free once it is met. */
  readonly reclaim: Limit | undefined;
}

export interface EvictionOptions {
  readonly thresholds: readonly Threshold[];
  /** A condition stays at least this long. */
  readonly transitionMs: number;
  /** Most grace of a pod that a soft threshold evicts, in milliseconds. */
  readonly maxPodGraceMs: number;
}

/** The kubelet's own. */
export const defaultHard =
  'memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%,imagefs.available<15%,imagefs.inodesFree<5%';

export const amountOf = (limit: Limit, capacity: number): number =>
  'amount' in limit ? limit.amount : Math.floor(capacity * limit.share);

/** @param also must be free beyond the threshold, too: what was met is over only then */
export const isMet = (threshold: Threshold, measured: Measured, also = false): boolean =>
  measured.available <
  amountOf(threshold.limit, measured.capacity) +
    (also && threshold.reclaim ? amountOf(threshold.reclaim, measured.capacity) : 0);

/** What a signal is short of, as messages name it. */
export const resourceOf = (signal: Signal): 'memory' | 'ephemeral-storage' | 'inodes' | 'pids' => {
  if (signal === 'memory.available') return 'memory';
  if (signal === 'pid.available') return 'pids';
  return signal.endsWith('inodesFree') ? 'inodes' : 'ephemeral-storage';
};

/** `SIGNAL<VALUE,…`, or SIGNAL=VALUE for what goes with a threshold. @throws Error naming the part and what is allowed */
export function parsePairs(text: string, operator: '<' | '='): Map<Signal, string> {
  const found = new Map<Signal, string>();
  for (const part of text.split(',').filter(Boolean)) {
    const [name = '', value = '', ...more] = part.split(operator).map(word => word.trim());
    const signal = signals.find(s => s === name);
    if (value === '' || more.length > 0) throw new Error(`"${part}": must be SIGNAL${operator}VALUE`);
    if (!signal) throw new Error(`"${part}": unknown signal "${name}"; allowed: ${signals.join(', ')}`);
    if (found.has(signal)) throw new Error(`"${part}": ${signal} is there twice`);
    found.set(signal, value);
  }
  return found;
}

/** `100Mi`, `10%`; undefined for 0% and 100%, which kubelet takes as none. @throws Error */
export function parseLimit(text: string): Limit | undefined {
  if (text.endsWith('%')) {
    const percent = Number(text.slice(0, -1));
    if (text.length < 2 || !(percent >= 0 && percent <= 100)) throw new Error(`"${text}": must be from 0% to 100%`);
    return percent === 0 || percent === 100 ? undefined : { share: percent / 100 };
  }
  return { amount: quantityAmount(text) };
}

function quantityAmount(text: string): number {
  try {
    const nanos = quantityNanos(text);
    if (nanos > 0n) return Number(nanos / 1_000_000_000n);
  } catch {}
  throw new Error(`"${text}": must be a quantity above 0, such as 100Mi, or a share, such as 10%`);
}

export interface ThresholdFlags {
  readonly hard: string;
  readonly soft: string;
  /** Milliseconds by signal. */
  readonly softGrace: ReadonlyMap<Signal, number>;
  readonly minimumReclaim: string;
}

/** @throws Error naming what is wrong */
export function thresholdsOf({ hard, soft, softGrace, minimumReclaim }: ThresholdFlags): Threshold[] {
  const reclaim = parsePairs(minimumReclaim, '=');
  const threshold = (signal: Signal, value: string, graceMs: number | undefined): Threshold[] => {
    const limit = parseLimit(value);
    const least = reclaim.get(signal);
    return limit ? [{ signal, limit, graceMs, reclaim: least === undefined ? undefined : parseLimit(least) }] : [];
  };
  return [
    ...[...parsePairs(hard, '<')].flatMap(([signal, value]) => threshold(signal, value, undefined)),
    ...[...parsePairs(soft, '<')].flatMap(([signal, value]) => {
      const graceMs = softGrace.get(signal);
      if (graceMs === undefined)
        throw new Error(`"${signal}<${value}": a grace period must be given for it (--eviction-soft-grace-period)`);
      return threshold(signal, value, graceMs);
    }),
  ];
}

/** What of the memory and disk is kept from pods by the hard thresholds. */
export function keptByThresholds(thresholds: readonly Threshold[], signal: Signal, capacity: number): number {
  const hard = thresholds.find(t => t.signal === signal && t.graceMs === undefined);
  return hard ? amountOf(hard.limit, capacity) : 0;
}
