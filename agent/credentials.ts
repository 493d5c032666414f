/** How this node reaches and proves itself to its controller: a kubeconfig, read anew at every dial (renewed certificates). */
import { existsSync, readFileSync } from 'node:fs';
import { type ConnectionOptions, connect } from 'node:tls';
import { parse } from 'yaml';
import type { LinkClientOptions } from '../src/link/client.js';

interface Credentials {
  /** `https://HOST:PORT`, or `unix:PATH` for a controller on this machine reached from other namespaces. */
  readonly server: string;
  readonly tls: { ca?: Buffer; cert?: Buffer; key?: Buffer };
}

/** The server's certificate always carries this name, whatever address it is reached by. */
const serverName = 'localhost';

export function linkAddress(file: string): Pick<LinkClientOptions, 'url' | 'socket'> {
  return {
    url: 'wss://keelson-controller/link/v1',
    socket: () => {
      const { server, tls } = readCredentials(file);
      const target = addressOf(server);
      return {
        createConnection: (() =>
          connect({ ...target, ...tls, servername: serverName, ALPNProtocols: ['http/1.1'] })) as never,
      };
    },
  };
}

function addressOf(server: string): ConnectionOptions {
  if (server.startsWith('unix:')) return { path: server.slice(5) };
  const { hostname, port } = new URL(server);
  return { host: hostname, port: Number(port || 443) };
}

function readCredentials(file: string): Credentials {
  // none yet (a node that runs static pods only): the dial fails, is logged, and is tried again
  if (!existsSync(file)) return { server: 'unix:/nonexistent', tls: {} };
  const config = parse(readFileSync(file, 'utf8')) as {
    clusters: [{ cluster: { server: string; 'certificate-authority-data': string } }];
    users: [{ user: { 'client-certificate-data': string; 'client-key-data': string } }];
  };
  const { cluster } = config.clusters[0];
  const { user } = config.users[0];
  const pem = (text: string) => Buffer.from(text, 'base64');
  return {
    server: cluster.server,
    tls: {
      ca: pem(cluster['certificate-authority-data']),
      cert: pem(user['client-certificate-data']),
      key: pem(user['client-key-data']),
    },
  };
}
