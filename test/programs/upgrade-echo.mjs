// An HTTP server that upgrades and echoes, and its client: `upgrade-echo.mjs serve PORT`, `upgrade-echo.mjs connect HOST`.
import { createServer, request } from 'node:http';

const [deed, word] = process.argv.slice(2);
if (deed === 'serve') {
  const server = createServer((_, response) => response.end('plain\n'));
  server.on('upgrade', (_, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    socket.pipe(socket);
    socket.on('error', () => socket.destroy());
  });
  server.listen(Number(word), '0.0.0.0', () => console.log('ready'));
} else {
  const headers = { connection: 'Upgrade', upgrade: 'echo', host: word };
  const call = request({ host: '127.0.0.1', port: 80, path: '/', headers });
  call.on('upgrade', (_, socket) => {
    process.stdin.pipe(socket);
    socket.pipe(process.stdout);
  });
  call.end();
}
