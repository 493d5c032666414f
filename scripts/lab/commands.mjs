// In a machine of the lab that has neighbours: runs what `on` of another one asks for, and sends back what it prints.
// One line of base64 in; output, and at last a line `exit CODE`, out. Only on the link-local address of eth1.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { commandPort, controlAddress } from './machines.mjs';

createServer({ allowHalfOpen: true }, socket => {
  let asked = '';
  socket.setEncoding('utf8').on('error', () => {});
  socket.on('data', part => {
    asked += part;
    if (!asked.endsWith('\n')) return;
    const script = Buffer.from(asked, 'base64').toString();
    const child = spawn('bash', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', text => socket.write(text));
    child.on('close', (code, signal) => socket.end(`\nexit ${code ?? signal}\n`));
    // whoever asked has gone
    socket.on('close', () => child.exitCode ?? child.signalCode ?? process.kill(-child.pid, 'SIGTERM'));
  });
}).listen(commandPort, controlAddress(Number(process.env.LAB_NODE)));
