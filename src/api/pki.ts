/**
 * Our own certificate authority and what it signs: the server's certificate, the administrator's and the nodes'. Everything
 * under `<data-dir>/pki`, keys 0600; certificates near their end are made again at the next start.
 */
import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { writeFileAtomic } from '../base/atomic-file.js';
import { codeOf, UserError } from '../base/errors.js';

x509.cryptoProvider.set(webcrypto as unknown as Crypto);

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const day = 24 * 60 * 60 * 1000;
const caDays = 3650;
const leafDays = 365;
const clockSkewMs = 5 * 60 * 1000;
/** A certificate with less than this part of its life left is renewed. */
const renewPart = 0.25;

export interface KeyPair {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS 8. */
  readonly key: string;
}

export interface Pki {
  /** PEM of the CA's certificate. */
  readonly ca: string;
  readonly serving: KeyPair;
  readonly admin: KeyPair;
  /** Bearer token of the administrator, for the dashboard and for tools. */
  readonly adminToken: string;
  /** Signs the tokens of ServiceAccounts: PEM, PKCS 8, P-256. */
  readonly tokenKey: string;
  /** The certificate that a checked and approved request is given, PEM. Throws an Error for one whose proof of possession is wrong. */
  issue(order: CertificateOrder): Promise<string>;
  /** Signs a client certificate for `system:node:<name>`; the key is new each time and kept nowhere. */
  nodeCertificate(name: string): Promise<KeyPair>;
}

export interface CertificateOrder {
  /** The request, PEM. */
  readonly request: string;
  readonly server: boolean;
  readonly client: boolean;
  readonly seconds: number;
}

interface Authority extends KeyPair {
  readonly parsed: x509.X509Certificate;
  readonly privateKey: CryptoKey;
}

/**
 * Opens or makes everything. @param names further addresses and names that the server is reached by; a certificate that lacks
 * one of them is made anew.
 */
export async function openPki(folder: string, names: readonly string[] = []): Promise<Pki> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const ca = await openAuthority(folder);
  const san = servingNames(names);
  const serving = await kept(
    folder,
    'server',
    ca,
    () => sign(ca, { commonName: 'keelson', organizations: [], san }),
    old => coversAll(old, san, names),
  );
  const admin = await kept(
    folder,
    'admin',
    ca,
    () => sign(ca, { commonName: 'kubernetes-admin', organizations: ['system:masters'] }),
    () => true,
  );
  const adminToken = await keptText(join(folder, 'admin.token'), () => randomBytes(32).toString('base64url'));
  const tokenKey = await keptText(join(folder, 'sa.key'), makeTokenKey);
  return {
    ca: ca.certificate,
    serving,
    admin,
    adminToken,
    tokenKey,
    issue: order => signRequest(ca, order),
    nodeCertificate: name => sign(ca, { commonName: `system:node:${name}`, organizations: ['system:nodes'] }),
  };
}

async function openAuthority(folder: string): Promise<Authority> {
  const found = await readPair(folder, 'ca');
  if (!found) return makeAuthority(folder);
  const parsed = parse(found.certificate, join(folder, 'ca.crt'));
  if (parsed.notAfter.getTime() < Date.now())
    throw new UserError(
      `certificate authority ${join(folder, 'ca.crt')} has expired`,
      `move ${folder} away to make a new one, and join the nodes again`,
    );
  return { ...found, parsed, privateKey: await importKey(found.key) };
}

async function makeAuthority(folder: string): Promise<Authority> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const parsed = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: 'CN=keelson-ca',
    notBefore: new Date(Date.now() - day),
    notAfter: new Date(Date.now() + caDays * day),
    signingAlgorithm: algorithm,
    keys: keys as unknown as CryptoKeyPair,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey as unknown as CryptoKey),
    ],
  });
  const pair = { certificate: `${parsed.toString('pem')}\n`, key: await exportKey(keys.privateKey) };
  await writePair(folder, 'ca', pair);
  return { ...pair, parsed, privateKey: keys.privateKey as unknown as CryptoKey };
}

interface Subject {
  readonly commonName: string;
  readonly organizations: readonly string[];
  /** For servers; without, the certificate is a client's. */
  readonly san?: readonly SubjectAltName[];
}

type SubjectAltName = { readonly type: 'dns' | 'ip'; readonly value: string };

async function sign(ca: Authority, { commonName, organizations, san }: Subject): Promise<KeyPair> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await signLeaf(ca, {
    subject: [...organizations.map(value => ({ O: [value] })), { CN: [commonName] }],
    publicKey: keys.publicKey as unknown as CryptoKey,
    usages: [san ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth],
    keyUsage: x509.KeyUsageFlags.digitalSignature,
    ms: leafDays * day,
    more: san ? [new x509.SubjectAlternativeNameExtension([...san])] : [],
  });
  return { certificate, key: await exportKey(keys.privateKey) };
}

/** What the request asks for beside subject, names and key is not taken over: what a certificate is good for is ours to say. */
async function signRequest(ca: Authority, { request, server, client, seconds }: CertificateOrder): Promise<string> {
  const parsed = new x509.Pkcs10CertificateRequest(request);
  if (!(await parsed.verify())) throw new Error('the request is not signed by the key that it is about');
  const names = parsed.getExtension('2.5.29.17');
  return signLeaf(ca, {
    subject: parsed.subjectName.toJSON(),
    publicKey: parsed.publicKey,
    usages: [
      ...(server ? [x509.ExtendedKeyUsage.serverAuth] : []),
      ...(client ? [x509.ExtendedKeyUsage.clientAuth] : []),
    ],
    keyUsage: x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment,
    ms: Math.min(seconds * 1000, leafDays * day),
    more: names ? [names] : [],
  });
}

interface Leaf {
  readonly subject: x509.JsonName;
  readonly publicKey: x509.PublicKeyType;
  readonly usages: x509.ExtendedKeyUsageType[];
  readonly keyUsage: x509.KeyUsageFlags;
  /** How long it is good. */
  readonly ms: number;
  readonly more: readonly x509.Extension[];
}

/** @returns PEM */
async function signLeaf(ca: Authority, { subject, publicKey, usages, keyUsage, ms, more }: Leaf): Promise<string> {
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject,
    issuer: ca.parsed.subject,
    // clocks differ: a little into the past
    notBefore: new Date(Date.now() - clockSkewMs),
    notAfter: new Date(Math.min(Date.now() + ms, ca.parsed.notAfter.getTime())),
    signingAlgorithm: algorithm,
    publicKey,
    signingKey: ca.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(keyUsage, true),
      new x509.ExtendedKeyUsageExtension(usages, false),
      await x509.AuthorityKeyIdentifierExtension.create(ca.parsed),
      ...more,
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

const serial = (): string => `00${randomBytes(15).toString('hex')}`;

/** Where a server of this machine can be reached. */
function servingNames(more: readonly string[]): SubjectAltName[] {
  const own = Object.values(networkInterfaces()).flatMap(list =>
    (list ?? []).map(({ address }) => address.split('%')[0]!),
  );
  const ips = ['127.0.0.1', '::1', ...own, ...more.filter(isIp)];
  const services = [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
  ];
  const dns = ['localhost', hostname(), ...services, ...more.filter(name => !isIp(name))];
  return [
    ...unique(dns).map(value => ({ type: 'dns' as const, value })),
    ...unique(ips).map(value => ({ type: 'ip' as const, value })),
  ];
}

const unique = (list: readonly string[]): string[] => [...new Set(list.filter(Boolean))];
const isIp = (text: string): boolean => /^[\d.]+$/.test(text) || text.includes(':');

/** The fixed names must all be in; addresses of interfaces that have come since are no reason to make a new one. */
function coversAll(old: x509.X509Certificate, san: readonly SubjectAltName[], wanted: readonly string[]): boolean {
  const names = new Set(old.getExtension(x509.SubjectAlternativeNameExtension)?.names.items.map(({ value }) => value));
  return san
    .filter(({ type, value }) => type === 'dns' || wanted.includes(value))
    .every(({ value }) => names.has(value));
}

async function kept(
  folder: string,
  name: string,
  ca: Authority,
  make: () => Promise<KeyPair>,
  fits: (old: x509.X509Certificate) => boolean,
): Promise<KeyPair> {
  const found = await readPair(folder, name);
  if (found) {
    const parsed = parse(found.certificate, join(folder, `${name}.crt`));
    const life = parsed.notAfter.getTime() - parsed.notBefore.getTime();
    const fresh = parsed.notAfter.getTime() - Date.now() > life * renewPart;
    if (fresh && fits(parsed) && (await parsed.verify({ publicKey: ca.parsed, signatureOnly: true }))) return found;
  }
  const made = await make();
  await writePair(folder, name, made);
  return made;
}

/** A secret in a file of its own, made once. */
async function keptText(file: string, make: () => string | Promise<string>): Promise<string> {
  const found = (await readIfThere(file))?.trim();
  if (found) return found;
  const made = (await make()).trim();
  await writeFileAtomic(file, `${made}\n`, { mode: 0o600 });
  return made;
}

async function makeTokenKey(): Promise<string> {
  return exportKey((await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])).privateKey);
}

function parse(pem: string, file: string): x509.X509Certificate {
  try {
    return new x509.X509Certificate(pem);
  } catch (cause) {
    throw new UserError(
      `certificate ${file} cannot be read`,
      'put back a backup, or remove the file to have a new one made',
      { cause },
    );
  }
}

async function readPair(folder: string, name: string): Promise<KeyPair | undefined> {
  const certificate = await readIfThere(join(folder, `${name}.crt`));
  const key = await readIfThere(join(folder, `${name}.key`));
  return certificate && key ? { certificate, key } : undefined;
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The key first: a certificate without its key would be taken for damage. */
async function writePair(folder: string, name: string, { certificate, key }: KeyPair): Promise<void> {
  await writeFileAtomic(join(folder, `${name}.key`), key, { mode: 0o600 });
  await writeFileAtomic(join(folder, `${name}.crt`), certificate, { mode: 0o644 });
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const bytes = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
}

function importKey(pem: string): Promise<CryptoKey> {
  const bytes = Buffer.from(pem.replace(/-----[A-Z ]+-----/g, ''), 'base64');
  return webcrypto.subtle.importKey('pkcs8', bytes, algorithm, false, ['sign']) as unknown as Promise<CryptoKey>;
}
