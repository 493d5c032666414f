// The console of a machine of `lab nodes`, on this terminal; Ctrl-] leaves it, and the machine stays.
import { connect } from 'node:net';
import { join } from 'node:path';

const [lab, node = ''] = process.argv.slice(2);
const leave = 0x1d;
const fail = text => {
  console.error(`lab console: ${text}`);
  process.exit(1);
};
if (!/^[2-5]$/.test(node)) fail(`machine "${node}"; 2 to 5 have one, the first has the terminal of \`lab nodes\``);
const socket = connect(join(lab, 'nodes', `console.${node}`), () => {
  console.error(`console of machine ${node}; Ctrl-] leaves it`);
  process.stdin.setRawMode?.(true);
  socket.write('\n');
  process.stdin.on('data', bytes => (bytes.includes(leave) ? socket.destroy() : socket.write(bytes)));
  socket.pipe(process.stdout);
});
socket.on('error', error => fail(`no such machine runs (${error.code}); start them with: npm run lab -- nodes`));
socket.on('close', () => {
  process.stdin.setRawMode?.(false);
  process.exit();
});
