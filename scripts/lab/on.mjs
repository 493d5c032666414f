#!/usr/bin/env node
// `on 2 COMMAND…` in a machine of the lab: runs it in the second one, shows what it prints, ends with its exit code.
import { runOn } from './machines.mjs';

const [node, ...words] = process.argv.slice(2);
if (!/^[1-5]$/.test(node ?? '') || words.length === 0) {
  console.error('usage: on NUMBER COMMAND…   for example: on 2 ip route');
  process.exit(2);
}
let held = '';
const { code } = await runOn(Number(node), words.join(' '), part => {
  // the last line is the exit code
  const text = held + part;
  const end = text.lastIndexOf('\nexit ');
  held = end < 0 ? (text.slice(-1) === '\n' ? '\n' : '') : text.slice(end);
  process.stdout.write(text.slice(0, text.length - held.length));
});
process.exitCode = /^\d+$/.test(code) ? Number(code) : 128;
