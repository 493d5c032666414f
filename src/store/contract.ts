/**
 * The waist between the API and whatever keeps the data (design §6): keys to values with one global revision, atomic
 * compare-and-write of several keys, range, one ordered change stream, compaction. test/suites/store.ts holds every
 * implementation to it.
 */

export interface Entry {
  readonly key: string;
  readonly value: Buffer;
  readonly createRevision: number;
  readonly modRevision: number;
}

/** One atomic commit: all compares must hold, then all writes happen at one new revision. */
export interface Commit {
  /** `modRevision` 0 means: the key must not exist. */
  readonly compares: readonly { readonly key: string; readonly modRevision: number }[];
  readonly writes: readonly (
    | { readonly key: string; readonly value: Buffer }
    | { readonly key: string; readonly delete: true }
  )[];
}

export type CommitResult =
  | { readonly ok: true; readonly revision: number }
  /** The first compare that failed, with what is there now. */
  | { readonly ok: false; readonly key: string; readonly current: Entry | undefined };

export interface Change {
  readonly revision: number;
  readonly key: string;
  /** Absent: deleted. */
  readonly entry?: Entry;
  /** What was there before, if anything. */
  readonly previous?: Entry;
}

/** Thrown for a revision older than the window: list again. */
export class CompactedError extends Error {
  constructor(
    readonly asked: number,
    readonly compacted: number,
  ) {
    super(`too old resource version: ${asked} (${compacted})`);
    this.name = 'CompactedError';
  }
}

/** The store cannot take writes now (full disk, read-only): reads go on; writes are refused with this. */
export class StoreUnavailableError extends Error {
  override name = 'StoreUnavailableError';
}

/** No room for the write: trying again at once is of no use to anybody. */
export class StoreFullError extends StoreUnavailableError {
  override name = 'StoreFullError';
}

export interface Store {
  /** Changes with every new or restored database: old revisions mean nothing then. */
  readonly incarnation: string;
  /** The newest acknowledged revision. */
  readonly revision: number;
  /** The oldest revision that `changes` can resume from. */
  readonly compacted: number;
  /** Resolves once the commit is durable (after fsync). Commits that arrive while one is under way share the next. */
  commit(commit: Commit): Promise<CommitResult>;
  get(key: string): Entry | undefined;
  /** Keys in [from, to), ascending. */
  range(from: string, to: string, limit?: number): Entry[];
  /**
   * Calls `listener` for every change after `since`, in revision order, each once: first the past, then as they are
   * acknowledged. All changes of one revision come in one call. Throws CompactedError.
   */
  subscribe(since: number, listener: (changes: readonly Change[]) => void): { close(): void };
  compact(revision: number): Promise<void>;
  close(): Promise<void>;
}
