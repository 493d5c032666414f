/**
 * Loaded into the processes of a cluster under measurement (`node --import`, so that the product knows nothing of it):
 * keeps a histogram of the event loop's delay. SIGUSR2 writes it to `$KEELSON_LOOP_DELAY.<role>` and begins anew.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

/** Milliseconds between two looks. */
const resolutionMs = 1;

/** Milliseconds that the loop came late. */
export interface LoopDelay {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const file = process.env['KEELSON_LOOP_DELAY'];
const role = process.argv[2] ?? '';
if (file && isMainThread && basename(process.argv[1] ?? '') === 'main.js' && ['agent', 'controller'].includes(role)) {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  process.on('SIGUSR2', () => {
    const path = `${file}.${role}`;
    writeFileSync(`${path}.tmp`, JSON.stringify(delayOf(histogram)));
    renameSync(`${path}.tmp`, path);
    histogram.reset();
  });
}

/** The histogram holds the time from one look to the next: the delay is what is above the resolution. */
function delayOf(histogram: IntervalHistogram): LoopDelay {
  const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - resolutionMs);
  return {
    count: histogram.count,
    p50: late(histogram.percentile(50)),
    p99: late(histogram.percentile(99)),
    max: late(histogram.max),
  };
}
