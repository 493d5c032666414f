// Prints the first free TCP port of 127.0.0.1 from the one given on.
import { createServer } from 'node:net';

const from = Number(process.argv[2] ?? 6443);
for (let port = from; port < from + 100; port++) {
  if (await isFree(port)) {
    console.log(port);
    process.exit(0);
  }
}
console.error(`no free port from ${from} to ${from + 99}`);
process.exit(1);

function isFree(port) {
  return new Promise(resolve => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
