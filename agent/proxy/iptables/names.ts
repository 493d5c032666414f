/** Names of chains as people know them from kube-proxy: a word, and the first 16 letters of a base32 SHA-256. Pure. */
import { createHash } from 'node:crypto';
import type { Protocol, ProxyEndpoint } from '../contract.js';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** The first 16 letters of RFC 4648's base32, which 10 bytes make. */
function shortHash(text: string): string {
  const digest = createHash('sha256').update(text).digest();
  let bits = BigInt(`0x${digest.subarray(0, 10).toString('hex')}`);
  let letters = '';
  for (let i = 0; i < 16; i++) {
    letters = alphabet[Number(bits & 31n)] + letters;
    bits >>= 5n;
  }
  return letters;
}

/** `default/web:http`; without colon if the port has no name. */
export const portNameOf = ({ service, portName }: { service: string; portName: string }): string =>
  portName === '' ? service : `${service}:${portName}`;

/** What the chains of one port of a Service are called. */
export interface ChainNames {
  /** All endpoints, and those of this node. */
  readonly cluster: string;
  readonly local: string;
  /** For what comes to an address that the world uses. */
  readonly external: string;
  /** Sources that a load balancer's address is for. */
  readonly firewall: string;
}

export function chainNames(port: string, protocol: Protocol): ChainNames {
  const hash = shortHash(port + protocol);
  return {
    cluster: `KUBE-SVC-${hash}`,
    local: `KUBE-SVL-${hash}`,
    external: `KUBE-EXT-${hash}`,
    firewall: `KUBE-FW-${hash}`,
  };
}

/** `10.244.0.5:8080`, `[fd00::5]:8080` */
export const socketAddress = ({ address, port }: Pick<ProxyEndpoint, 'address' | 'port'>): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

export const endpointChain = (port: string, protocol: Protocol, endpoint: ProxyEndpoint): string =>
  `KUBE-SEP-${shortHash(port + protocol + socketAddress(endpoint))}`;

/** Chains that come and go with Services. */
export const isServiceChain = (chain: string): boolean => /^KUBE-(SVC|SVL|EXT|FW|SEP)-[A-Z2-7]{16}$/.test(chain);
