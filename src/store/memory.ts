/** The store in memory: for tests and simulations. Same suite as SQLite, nothing durable. */
import { randomUUID } from 'node:crypto';
import type { Change, Commit, CommitResult, Entry, Store } from './contract.js';
import { CompactedError } from './contract.js';
import { Feed } from './feed.js';

export function createMemoryStore(): Store {
  return new MemoryStore();
}

class MemoryStore implements Store {
  readonly incarnation = randomUUID();
  revision = 1;
  compacted = 1;
  readonly #live = new Map<string, Entry>();
  readonly #feed = new Feed();
  #log: Change[][] = [];

  async commit(commit: Commit): Promise<CommitResult> {
    await Promise.resolve();
    for (const { key, modRevision } of commit.compares) {
      const current = this.#live.get(key);
      if ((current?.modRevision ?? 0) !== modRevision) return { ok: false, key, current };
    }
    const next = this.revision + 1;
    const changes = commit.writes.flatMap(write => this.#write(next, write));
    if (changes.length === 0) return { ok: true, revision: this.revision };
    this.revision = next;
    this.#log.push(changes);
    this.#feed.publish(changes);
    return { ok: true, revision: next };
  }

  #write(revision: number, write: Commit['writes'][number]): Change[] {
    const { key } = write;
    const previous = this.#live.get(key);
    if ('delete' in write) {
      if (!previous) return [];
      this.#live.delete(key);
      return [{ revision, key, previous }];
    }
    const entry = {
      key,
      value: write.value,
      createRevision: previous?.createRevision ?? revision,
      modRevision: revision,
    };
    this.#live.set(key, entry);
    return [{ revision, key, entry, ...(previous && { previous }) }];
  }

  get(key: string): Entry | undefined {
    return this.#live.get(key);
  }

  range(from: string, to: string, limit = Number.POSITIVE_INFINITY): Entry[] {
    const keys = [...this.#live.keys()].filter(key => key >= from && key < to).sort();
    return keys.slice(0, limit).map(key => this.#live.get(key)!);
  }

  subscribe(since: number, listener: (changes: readonly Change[]) => void): { close(): void } {
    if (since < this.compacted) throw new CompactedError(since, this.compacted);
    return this.#feed.add(
      this.#log.filter(([first]) => first!.revision > since),
      listener,
    );
  }

  async compact(revision: number): Promise<void> {
    this.compacted = Math.max(this.compacted, Math.min(revision, this.revision));
    this.#log = this.#log.filter(([first]) => first!.revision > this.compacted);
  }

  async close(): Promise<void> {}
}
