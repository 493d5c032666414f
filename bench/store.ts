/**
 * Durable commits per second and their latency at several concurrencies, on the disk of a folder:
 * `node dist/bench/store.js [FOLDER]`. Values of 1 kB, a compare on every write, as the API makes them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteStore } from '../src/store/sqlite.js';

const folder = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'keelson-bench-'));
const value = Buffer.alloc(1024, 'x');

const opening = performance.now();
const store = await openSqliteStore({ file: join(folder, 'db') });
process.stdout.write(`open: ${(performance.now() - opening).toFixed(0)} ms\n`);

for (const concurrency of [1, 8, 64]) {
  const count = concurrency === 1 ? 500 : 5000;
  const latencies: number[] = [];
  const began = performance.now();
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) {
      const key = `/bench/${concurrency}/${next++}`;
      const start = performance.now();
      await store.commit({ compares: [{ key, modRevision: 0 }], writes: [{ key, value }] });
      latencies.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  const seconds = (performance.now() - began) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (part: number): string => latencies[Math.floor(latencies.length * part)]!.toFixed(2);
  process.stdout.write(
    `commit c=${concurrency}: ${(count / seconds).toFixed(0)}/s; ms median ${at(0.5)} p90 ${at(0.9)} p99 ${at(0.99)}\n`,
  );
}
await store.close();
rmSync(folder, { recursive: true, force: true });
