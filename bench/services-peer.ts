/** What stands behind the Services of the bench: a server that tells each client which of its addresses it reached. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const program = `
const server = require('node:net').createServer({ noDelay: true }, s => { s.on('error', () => {}); s.end(s.localAddress.replace('::ffff:', '')); });
server.listen({ port: +process.argv[1], backlog: 1024 }, () => console.log('ready'));
process.stdin.resume().on('end', () => process.exit());
`;

/** Ends with this process. @param pid of a process in the network namespace */
export async function serveAddresses(pid: number, port: number): Promise<void> {
  const server = spawn('nsenter', ['-t', String(pid), '-n', process.execPath, '-e', program, String(port)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(server.stdout, 'data');
}
