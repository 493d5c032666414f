/** How this node reaches and proves itself to its controller: a kubeconfig, read anew at every dial (renewed certificates). */
import { existsSync, readFileSync } from 'node:fs';
import type { NetConnectOpts } from 'node:net';
import { connect } from 'node:tls';
import { parse } from 'yaml';
import { describe, UserError } from '../src/base/errors.js';
import { socketHost } from '../src/base/url.js';
import { at } from '../src/kube/json.js';
import type { LinkClientOptions } from '../src/link/client.js';

interface Credentials {
  /** `https://HOST:PORT`, or `unix:PATH` for a controller on this machine reached from other namespaces. */
  readonly server: string;
  readonly tls: { ca?: Buffer; cert?: Buffer; key?: Buffer };
}

/** The server's certificate always carries this name, whatever address it is reached by. */
const serverName = 'localhost';

/** Throws UserError for a file that is there but cannot be used. */
export function linkAddress(file: string): Pick<LinkClientOptions, 'url' | 'socket'> {
  readCredentials(file);
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

/** Where this node reaches its controller now, for bytes that are somebody else's. */
export const apiTarget = (file: string): NetConnectOpts => addressOf(readCredentials(file).server);

function addressOf(server: string): NetConnectOpts {
  if (server.startsWith('unix:')) return { path: server.slice(5) };
  const url = new URL(server);
  return { host: socketHost(url), port: Number(url.port || 443) };
}

function readCredentials(file: string): Credentials {
  // none yet (a node that runs static pods only): the dial fails, is logged, and is tried again
  if (!existsSync(file)) return { server: 'unix:/nonexistent', tls: {} };
  try {
    return parseCredentials(readFileSync(file, 'utf8'));
  } catch (error) {
    const [line = ''] = describe(error).split('\n');
    throw new UserError(`node credentials ${file} cannot be used: ${line.replace(/:$/, '')}`, credentialsHint);
  }
}

const credentialsHint = 'it must be the kubeconfig of a node; `keelson controller --local-node` writes one';

/** Throws an Error naming the field that is missing or wrong. */
function parseCredentials(text: string): Credentials {
  const config: unknown = parse(text);
  const field = (...path: (string | number)[]): string => {
    const value = at(config, ...path);
    if (typeof value === 'string' && value !== '') return value;
    throw new Error(`${path.join('.')}: a text is required`);
  };
  const pem = (kind: string, ...path: (string | number)[]): Buffer => {
    const bytes = Buffer.from(field(...path), 'base64');
    if (!bytes.includes(`-----BEGIN ${kind}`)) throw new Error(`${path.join('.')}: must be a PEM ${kind} in base64`);
    return bytes;
  };
  return {
    server: field('clusters', 0, 'cluster', 'server'),
    tls: {
      ca: pem('CERTIFICATE', 'clusters', 0, 'cluster', 'certificate-authority-data'),
      cert: pem('CERTIFICATE', 'users', 0, 'user', 'client-certificate-data'),
      key: pem('', 'users', 0, 'user', 'client-key-data'),
    },
  };
}
