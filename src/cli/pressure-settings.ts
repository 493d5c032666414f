/** The flags about what a node does when it runs short, or goes down (docs/resources.md). Kubelet's names, syntax and defaults. */
import type { ImageGcOptions } from '../../agent/eviction/image-gc.js';
import { defaultHard, type EvictionOptions, parsePairs, thresholdsOf } from '../../agent/eviction/thresholds.js';
import type { ShutdownOptions } from '../../agent/shutdown.js';
import { UserError } from '../base/errors.js';

export const pressureFlags: readonly (readonly [name: string, flags: string, description: string])[] = [
  [
    'eviction-hard',
    '--eviction-hard <list>',
    `what a node must have left, or pods go at once (default ${defaultHard})`,
  ],
  ['eviction-soft', '--eviction-soft <list>', 'the same, but pods go only after a grace period (default none)'],
  ['eviction-soft-grace-period', '--eviction-soft-grace-period <list>', 'e.g. memory.available=1m30s'],
  [
    'eviction-max-pod-grace-period',
    '--eviction-max-pod-grace-period <s>',
    'most grace of a pod that goes so (default 0)',
  ],
  [
    'eviction-minimum-reclaim',
    '--eviction-minimum-reclaim <list>',
    'what is made free at least, e.g. nodefs.available=1Gi',
  ],
  [
    'eviction-pressure-transition-period',
    '--eviction-pressure-transition-period <t>',
    'how long a node says at least that it is short (default 5m)',
  ],
  [
    'image-gc-high-threshold',
    '--image-gc-high-threshold <%>',
    'disk in use at which unused images go; 100: never (default 85)',
  ],
  ['image-gc-low-threshold', '--image-gc-low-threshold <%>', 'down to which they go (default 80)'],
  ['minimum-image-ttl-duration', '--minimum-image-ttl-duration <t>', 'younger images stay (default 2m)'],
  ['image-maximum-gc-age', '--image-maximum-gc-age <t>', 'images unused for longer go anyway (default 0s: never)'],
  [
    'shutdown-grace-period',
    '--shutdown-grace-period <t>',
    'time for pods to end when the node goes down (default 0s: off)',
  ],
  [
    'shutdown-grace-period-critical-pods',
    '--shutdown-grace-period-critical-pods <t>',
    'the part of it that critical pods get, at the end (default 0s)',
  ],
];

export interface PressureFlags {
  evictionHard?: string;
  evictionSoft?: string;
  evictionSoftGracePeriod?: string;
  evictionMaxPodGracePeriod?: string | number;
  evictionMinimumReclaim?: string;
  evictionPressureTransitionPeriod?: string;
  imageGcHighThreshold?: string | number;
  imageGcLowThreshold?: string | number;
  minimumImageTtlDuration?: string;
  imageMaximumGcAge?: string;
  shutdownGracePeriod?: string;
  shutdownGracePeriodCriticalPods?: string;
}

export interface PressureSettings {
  readonly eviction: EvictionOptions;
  readonly imageGc: ImageGcOptions;
  readonly shutdown: ShutdownOptions;
}

/** @throws UserError naming flag, value and what is allowed */
export function pressureSettings(f: PressureFlags): PressureSettings {
  return { eviction: eviction(f), imageGc: imageGc(f), shutdown: shutdown(f) };
}

function eviction(f: PressureFlags): EvictionOptions {
  const grace = named('--eviction-soft-grace-period', () => [...parsePairs(f.evictionSoftGracePeriod ?? '', '=')]);
  const softGrace = new Map(grace.map(([signal, text]) => [signal, duration('--eviction-soft-grace-period', text)]));
  const hard = f.evictionHard ?? defaultHard;
  const none = { hard: '', soft: '', softGrace, minimumReclaim: '' };
  // each by itself first, so that an error names its flag
  named('--eviction-hard', () => thresholdsOf({ ...none, hard }));
  const soft = f.evictionSoft ?? '';
  named('--eviction-soft', () => thresholdsOf({ ...none, soft }));
  const minimumReclaim = f.evictionMinimumReclaim ?? '';
  return {
    thresholds: named('--eviction-minimum-reclaim', () => thresholdsOf({ hard, soft, softGrace, minimumReclaim })),
    transitionMs: duration('--eviction-pressure-transition-period', f.evictionPressureTransitionPeriod ?? '5m'),
    maxPodGraceMs: whole('--eviction-max-pod-grace-period', f.evictionMaxPodGracePeriod ?? 0, 86_400) * 1000,
  };
}

function imageGc(f: PressureFlags): ImageGcOptions {
  const highPercent = whole('--image-gc-high-threshold', f.imageGcHighThreshold ?? 85, 100);
  const lowPercent = whole('--image-gc-low-threshold', f.imageGcLowThreshold ?? 80, 100);
  if (lowPercent >= highPercent)
    throw new UserError(
      `--image-gc-low-threshold "${lowPercent}": must be below --image-gc-high-threshold ${highPercent}`,
    );
  return {
    highPercent,
    lowPercent,
    minimumAgeMs: duration('--minimum-image-ttl-duration', f.minimumImageTtlDuration ?? '2m'),
    maximumAgeMs: duration('--image-maximum-gc-age', f.imageMaximumGcAge ?? '0s'),
  };
}

function shutdown(f: PressureFlags): ShutdownOptions {
  const graceMs = duration('--shutdown-grace-period', f.shutdownGracePeriod ?? '0s');
  const critical = f.shutdownGracePeriodCriticalPods ?? '0s';
  const criticalMs = duration('--shutdown-grace-period-critical-pods', critical);
  if (criticalMs > graceMs)
    throw new UserError(`--shutdown-grace-period-critical-pods "${critical}": must not exceed --shutdown-grace-period`);
  return { graceMs, criticalMs };
}

function named<T>(flag: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new UserError(`${flag} ${(error as Error).message}`);
  }
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Go's form, `1h30m`, in milliseconds. */
function duration(flag: string, text: string): number {
  if (text === '0') return 0;
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text))
    throw new UserError(`${flag} "${text}": must be a duration such as 90s, 1m30s or 2h`);
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  return parts.reduce((sum, [, amount, unit = '']) => sum + Number(amount) * (units[unit] ?? 0), 0);
}

function whole(flag: string, value: string | number, max: number): number {
  const n = Number(value);
  if (value === '' || !Number.isInteger(n) || n < 0 || n > max)
    throw new UserError(`${flag} "${value}": must be a whole number from 0 to ${max}`);
  return n;
}
