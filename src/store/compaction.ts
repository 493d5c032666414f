/** Keeps the store's past bounded: by age, so that watches can resume for minutes, and by count, so that it ends at all. */
import { describe } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import type { Store } from './contract.js';

export interface CompactionOptions {
  readonly everyMs?: number;
  /** Changes younger than this stay. Default 5 min, as long as Kubernetes promises. */
  readonly keepMs?: number;
  /** But never more revisions than this. Default 50,000. */
  readonly keepRevisions?: number;
}

/** Compacts every minute until closed. */
export function startCompaction(
  store: Store,
  log: Logger,
  { everyMs = 60_000, keepMs = 300_000, keepRevisions = 50_000 }: CompactionOptions = {},
): { close(): void } {
  let marks: Mark[] = [{ at: Date.now(), revision: store.revision }];
  const timer = setInterval(() => {
    const now = Date.now();
    marks = [...marks, { at: now, revision: store.revision }];
    const upTo = compactTo(marks, now - keepMs, store.revision - keepRevisions);
    marks = marks.filter(mark => mark.revision > upTo);
    if (upTo > store.compacted)
      store.compact(upTo).catch(error => log.warn({ error: describe(error) }, 'compaction failed'));
  }, everyMs);
  return { close: () => clearInterval(timer) };
}

/** The store had reached this revision at this time (milliseconds since 1970). */
interface Mark {
  readonly at: number;
  readonly revision: number;
}

/** The newest revision that is older than `before`, or `least` where that is newer. Pure. */
export function compactTo(marks: readonly Mark[], before: number, least: number): number {
  const old = marks.filter(mark => mark.at <= before).map(mark => mark.revision);
  return Math.max(0, least, ...old);
}
