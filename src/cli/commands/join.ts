/** `keelson join`: a machine becomes a node, by a bootstrap token and a certificate that it asks for itself. */
import 'reflect-metadata';
import { createHash, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { request } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import * as x509 from '@peculiar/x509';
import type { Command } from 'commander';
import { writeKubeconfig } from '../../api/kubeconfig.js';
import { UserError } from '../../base/errors.js';
import { socketHost } from '../../base/url.js';
import { nodeClientSigner } from '../../kube/certificate-request.js';
import { at } from '../../kube/json.js';
import { type ApiAnswer, succeeded } from '../api-request.js';
import { addSettings, nodeCredentials, settingsFrom } from '../settings.js';

interface JoinFlags {
  isolated?: string;
  token: string;
  caHash?: string;
}

const requests = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
/** The server's certificate always carries this name, whatever address it is reached by. */
const serverName = 'localhost';
const answerMs = 10_000;
const issueMs = 30_000;

export function registerJoin(program: Command): void {
  addSettings(program.command('join <server>'), ['isolated', 'data-dir', 'node-name'])
    .description(
      'make this machine a node of a cluster: writes DATA-DIR/node.kubeconfig, with which `keelson agent` runs',
    )
    .requiredOption('--token <token>', 'from `keelson token create`')
    .option('--ca-hash <sha256:hex>', "of the public key of the cluster's CA, as `keelson token create` prints it")
    .addHelpText(
      'after',
      '\nExample:\n  keelson join https://192.0.2.10:6443 --token abcdef.0123456789abcdef --ca-hash sha256:…\n  keelson agent\n',
    )
    .action(async (server: string, flags: JoinFlags) => {
      const settings = settingsFrom(flags);
      const url = serverUrl(server);
      const ca = await authorityOf(url, flags.caHash);
      const user = `system:node:${settings.nodeName}`;
      const client = await obtain({ url, ca, token: flags.token }, user, settings.nodeName);
      const file = nodeCredentials(settings);
      await writeKubeconfig(file, { server: url.origin, ca, user, client });
      process.stdout.write(`${file} written; start the node with: keelson agent --credentials ${file}\n`);
    });
}

/** What `keelson join` must be given to trust a CA (PEM): kubeadm's way of writing it. */
export function caHash(pem: string | Buffer): string {
  const key = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' });
  return `sha256:${createHash('sha256').update(key).digest('hex')}`;
}

function serverUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:') return url;
  throw new UserError(`server "${text}": must be like https://192.0.2.10:6443`);
}

/** PEM. Throws UserError unless it is the one that was told of. */
async function authorityOf(url: URL, wanted: string | undefined): Promise<string> {
  const raw = await new Promise<Buffer | undefined>((resolve, reject) => {
    const where = { host: socketHost(url), port: Number(url.port || 443), servername: serverName };
    // not trusted yet: what it shows is compared with what the administrator has said
    const socket: TLSSocket = connect({ ...where, rejectUnauthorized: false, timeout: answerMs }, () => {
      resolve(socket.getPeerCertificate(true).issuerCertificate?.raw);
      socket.destroy();
    });
    socket.on('timeout', () => socket.destroy(new Error('no answer in 10 s')));
    socket.on('error', error => reject(new UserError(`the API at ${url.origin} cannot be reached: ${error.message}`)));
  });
  if (!raw) throw new UserError(`the server at ${url.origin} does not show its CA: it is none of Keelson's`);
  const pem = new X509Certificate(raw).toString();
  const found = caHash(pem);
  if (found === wanted) return pem;
  throw new UserError(
    wanted
      ? `the CA of ${url.origin} is ${found}, not ${wanted}`
      : `the CA of ${url.origin} is ${found}, and nobody has said whether that is the right one`,
    'ask the administrator: `keelson token create --join` prints the whole command; then give it with --ca-hash',
  );
}

interface Bootstrap {
  readonly url: URL;
  readonly ca: string;
  readonly token: string;
}

async function obtain(bootstrap: Bootstrap, user: string, node: string) {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
  x509.cryptoProvider.set(webcrypto as unknown as Crypto);
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ O: ['system:nodes'] }, { CN: [user] }],
    keys: keys as unknown as CryptoKeyPair,
    signingAlgorithm: algorithm,
  });
  const name = `node-csr-${node}-${randomBytes(4).toString('hex')}`;
  const spec = {
    request: Buffer.from(csr.toString('pem')).toString('base64'),
    signerName: nodeClientSigner,
    usages: ['digital signature', 'client auth'],
  };
  const object = { apiVersion: 'certificates.k8s.io/v1', kind: 'CertificateSigningRequest', metadata: { name }, spec };
  succeeded(await ask(bootstrap, 'POST', requests, object), 'the cluster does not take this node');
  const certificate = await issued(bootstrap, name);
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const lines = key.match(/.{1,64}/g)?.join('\n') ?? '';
  return { certificate, key: `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n` };
}

/** PEM, as soon as the cluster has signed it. */
async function issued(bootstrap: Bootstrap, name: string): Promise<string> {
  for (const until = Date.now() + issueMs; Date.now() < until; await new Promise(wait => setTimeout(wait, 100))) {
    const found = succeeded(await ask(bootstrap, 'GET', `${requests}/${name}`), 'the request is gone');
    const certificate = at(found, 'status', 'certificate');
    if (typeof certificate === 'string') return Buffer.from(certificate, 'base64').toString('utf8');
  }
  throw new UserError(`request ${name} is not signed yet`, `look at it with: kubectl describe csr ${name}`);
}

function ask({ url, ca, token }: Bootstrap, method: string, path: string, body?: object): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const call = request(new URL(path, url), {
      method,
      ca,
      servername: serverName,
      // the CA is the cluster's own; its servers are known by that one name
      checkServerIdentity: () => undefined,
      timeout: answerMs,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    });
    call.on('error', error => reject(new UserError(`the API at ${url.origin} cannot be reached: ${error.message}`)));
    call.on('timeout', () => call.destroy(new Error('no answer in 10 s')));
    call.on('response', async response => {
      const parts: Buffer[] = [];
      for await (const part of response) parts.push(part as Buffer);
      resolve({ code: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(parts).toString() || 'null') });
    });
    call.end(body && JSON.stringify(body));
  });
}
