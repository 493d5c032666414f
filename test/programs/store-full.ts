/** Fills the file system under a store, sees writes refused and reads go on, makes room, and sees writes accepted again. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StoreUnavailableError } from '../../src/store/contract.js';
import { openSqliteStore } from '../../src/store/sqlite.js';

const folder = process.argv[2] ?? '';
const ballast = join(folder, 'ballast');
writeFileSync(ballast, Buffer.alloc(1024 * 1024));
const store = await openSqliteStore({ file: join(folder, 'db') });
const write = (value: string) => store.commit({ compares: [], writes: [{ key: '/a', value: Buffer.from(value) }] });

await write('first');
let refused: unknown;
for (let i = 0; i < 1000 && !refused; i++) await write('x'.repeat(20_000)).catch(error => (refused = error));
const before = store.revision;
const readable = store.get('/a') !== undefined;
rmSync(ballast);
const after = await write('again');
const result = {
  refused: refused instanceof StoreUnavailableError && refused.message,
  readable,
  again: after.ok && after.revision === before + 1 && store.get('/a')!.value.toString() === 'again',
};
process.stdout.write(`${JSON.stringify(result)}\n`);
await store.close();
