/** Exponential back-off as pure functions, and the keyed memory of it. Times in milliseconds. */

export interface BackoffPolicy {
  readonly initialMs: number;
  readonly maxMs: number;
  readonly factor: number;
}

/** Delay before attempt number `failures` (1 = after the first failure): initial · factor^(failures-1), capped. */
export function backoffDelay(policy: BackoffPolicy, failures: number): number {
  if (failures <= 0) return 0;
  return Math.min(policy.maxMs, policy.initialMs * policy.factor ** Math.min(failures - 1, 62));
}

/** The same with full jitter: a uniformly random part of the delay, so that many clients do not return at once. */
export function jittered(delayMs: number, random: () => number = Math.random): number {
  return Math.round(delayMs * random());
}
