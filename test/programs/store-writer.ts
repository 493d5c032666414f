/**
 * Writes to a store as fast as it can and tells on standard output, line by line, what was acknowledged and what its watcher
 * saw; runs until it is killed. `store-writer FILE ROUND`: lines `open REVISION`, `ack KEY VALUE REVISION`, `saw REVISION`.
 */
import { writeSync } from 'node:fs';
import { openSqliteStore } from '../../src/store/sqlite.js';

const [, , file = '', round = '0'] = process.argv;
// written synchronously: what was acknowledged must be on the pipe before the next thing happens
const tell = (line: string): void => void writeSync(1, `${line}\n`);

const store = await openSqliteStore({ file });
tell(`open ${store.revision}`);
store.subscribe(store.revision, changes => tell(`saw ${changes[0]!.revision}`));

async function writeForever(writer: number): Promise<void> {
  for (let count = 0; ; count++) {
    const key = `/w${writer}/k${count % 7}`;
    const value = `${round}-${writer}-${count}`;
    const result = await store.commit({ compares: [], writes: [{ key, value: Buffer.from(value) }] });
    if (result.ok) tell(`ack ${key} ${value} ${result.revision}`);
    if (count % 50 === 49) void store.compact(store.revision - 100);
  }
}

await Promise.all(Array.from({ length: 16 }, (_, writer) => writeForever(writer)));
