/** What every store must do (src/store/contract.ts). A backend is done when this passes. */
import { describe, expect, test } from 'vitest';
import { type Change, CompactedError, type Store } from '../../src/store/contract.js';

const text = (value: string) => Buffer.from(value);
const put = (key: string, value: string, modRevision?: number) => ({
  compares: modRevision === undefined ? [] : [{ key, modRevision }],
  writes: [{ key, value: text(value) }],
});
const drop = (key: string) => ({ compares: [], writes: [{ key, delete: true as const }] });

export function storeSuite(name: string, open: () => Promise<Store>): void {
  const withStore = (story: (store: Store) => Promise<void>) => async () => {
    const store = await open();
    try {
      await story(store);
    } finally {
      await store.close();
    }
  };

  describe(`store: ${name}`, () => {
    test(
      'a written key is read back with its revisions',
      withStore(async store => {
        const first = await store.commit(put('/a', '1', 0));
        const second = await store.commit(put('/a', '2', first.ok ? first.revision : -1));
        expect(second).toEqual({ ok: true, revision: store.revision });
        const entry = store.get('/a')!;
        expect(entry.value.toString()).toBe('2');
        expect(entry.modRevision).toBe(store.revision);
        expect(entry.createRevision).toBe(store.revision - 1);
      }),
    );

    test(
      'a failed compare writes nothing and tells what is there',
      withStore(async store => {
        await store.commit(put('/a', '1', 0));
        const before = store.revision;
        const result = await store.commit({
          compares: [{ key: '/a', modRevision: 0 }],
          writes: [{ key: '/b', value: text('x') }],
        });
        expect(result).toMatchObject({ ok: false, key: '/a', current: { key: '/a', modRevision: before } });
        expect(store.get('/b')).toBeUndefined();
        expect(store.revision).toBe(before);
      }),
    );

    test(
      'of many writers comparing against the same revision exactly one wins',
      withStore(async store => {
        const results = await Promise.all(Array.from({ length: 50 }, (_, i) => store.commit(put('/a', String(i), 0))));
        expect(results.filter(result => result.ok)).toHaveLength(1);
      }),
    );

    test(
      'several keys change at one revision, and arrive together',
      withStore(async store => {
        const seen: (readonly Change[])[] = [];
        store.subscribe(store.revision, changes => seen.push(changes));
        await store.commit({
          compares: [],
          writes: [
            { key: '/a', value: text('1') },
            { key: '/b', value: text('2') },
          ],
        });
        expect(seen.map(changes => changes.map(change => change.key))).toEqual([['/a', '/b']]);
        expect(store.get('/a')!.modRevision).toBe(store.get('/b')!.modRevision);
      }),
    );

    test(
      'range is ordered, bounded and half open',
      withStore(async store => {
        for (const key of ['/p/b', '/p/a', '/q', '/p/c']) await store.commit(put(key, key));
        expect(store.range('/p/', '/p0').map(entry => entry.key)).toEqual(['/p/a', '/p/b', '/p/c']);
        expect(store.range('/p/b', '/p0', 1).map(entry => entry.key)).toEqual(['/p/b']);
      }),
    );

    test(
      'the stream resumes from any revision: past and present, in order, no gap, no duplicate',
      withStore(async store => {
        const start = store.revision;
        for (let i = 0; i < 20; i++) await store.commit(put(`/k${i % 3}`, String(i)));
        for (let since = start; since <= store.revision; since++) {
          const seen: number[] = [];
          store.subscribe(since, changes => seen.push(changes[0]!.revision)).close();
          expect(seen).toEqual(Array.from({ length: store.revision - since }, (_, i) => since + 1 + i));
        }
        const live: number[] = [];
        const subscription = store.subscribe(start, changes => live.push(changes[0]!.revision));
        await store.commit(put('/new', 'x'));
        subscription.close();
        await store.commit(put('/new', 'y'));
        expect(live.at(-1)).toBe(store.revision - 1);
        expect(live).toHaveLength(21);
      }),
    );

    test(
      'a deletion carries its own revision and what was there; a name made again is a new creation',
      withStore(async store => {
        await store.commit(put('/a', 'old'));
        const seen: Change[] = [];
        store.subscribe(store.revision, changes => seen.push(...changes));
        await store.commit(drop('/a'));
        await store.commit(put('/a', 'new', 0));
        expect(seen[0]).toMatchObject({ revision: store.revision - 1, key: '/a' });
        expect(seen[0]!.entry).toBeUndefined();
        expect(seen[0]!.previous!.value.toString()).toBe('old');
        expect(seen[1]!.previous).toBeUndefined();
        expect(seen[1]!.entry!.createRevision).toBe(store.revision);
      }),
    );

    test(
      'deleting what is not there is no revision',
      withStore(async store => {
        const before = store.revision;
        expect(await store.commit(drop('/nothing'))).toEqual({ ok: true, revision: before });
        expect(store.revision).toBe(before);
      }),
    );

    test(
      'a subscriber has heard of a commit when its writer is told',
      withStore(async store => {
        let heard = 0;
        store.subscribe(store.revision, changes => (heard = changes[0]!.revision));
        for (let i = 0; i < 10; i++) {
          const result = await store.commit(put('/a', String(i)));
          expect(result.ok && result.revision).toBe(heard);
        }
      }),
    );

    test(
      'compaction forgets the past, not the present',
      withStore(async store => {
        const start = store.revision;
        for (let i = 0; i < 10; i++) await store.commit(put('/a', String(i)));
        await store.commit(drop('/a'));
        await store.commit(put('/b', 'kept'));
        const middle = start + 5;
        await store.compact(middle);
        expect(store.compacted).toBe(middle);
        expect(() => store.subscribe(middle - 1, () => {})).toThrow(CompactedError);
        const seen: Change[] = [];
        store.subscribe(middle, changes => seen.push(...changes));
        expect(seen.map(change => change.revision)).toEqual([6, 7, 8, 9, 10, 11, 12].map(n => start + n));
        expect(seen[0]!.previous!.value.toString()).toBe('4');
        await store.compact(store.revision);
        expect(store.get('/b')!.value.toString()).toBe('kept');
        const after = store.revision;
        await store.commit(put('/c', 'x'));
        expect(store.revision).toBe(after + 1);
      }),
    );

    test(
      'binary values and odd keys survive',
      withStore(async store => {
        const value = Buffer.from([0, 255, 10, 13, 0]);
        await store.commit({ compares: [], writes: [{ key: '/ü/日本/__proto__', value }] });
        expect(Buffer.compare(store.get('/ü/日本/__proto__')!.value, value)).toBe(0);
      }),
    );
  });
}
