/** Who sends a request: a client certificate of our CA, a bearer token, or nobody. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { anonymous, type Identity } from './authorize.js';
import { unauthorized } from './errors.js';

/** Tokens are kept hashed: comparing digests takes the same time wherever they differ. */
export class TokenList {
  readonly #tokens: { digest: Buffer; identity: Identity }[] = [];

  add(token: string, identity: Identity): void {
    this.#tokens.push({ digest: digestOf(token), identity });
  }

  find(token: string): Identity | undefined {
    const digest = digestOf(token);
    return this.#tokens.find(known => timingSafeEqual(known.digest, digest))?.identity;
  }
}

const digestOf = (token: string): Buffer => createHash('sha256').update(token).digest();

/** Throws StatusError 401 for credentials that are wrong; none at all is the anonymous user. */
export function authenticate(request: IncomingMessage, tokens: TokenList): Identity {
  const certificate = certificateIdentity(request.socket as TLSSocket);
  if (certificate) return certificate;
  const header = request.headers.authorization;
  if (header === undefined) return anonymous;
  const token = /^Bearer ([\x21-\x7e]{1,8192})$/i.exec(header)?.[1];
  const identity = token === undefined ? undefined : tokens.find(token);
  if (!identity) throw unauthorized();
  return identity;
}

const known = new WeakMap<object, Identity | null>();

/** The socket's certificate, if our CA has signed it. One look per connection. */
function certificateIdentity(socket: TLSSocket): Identity | undefined {
  if (!socket.authorized) return undefined;
  let identity = known.get(socket);
  if (identity === undefined) {
    identity = identityOf(socket.getPeerCertificate());
    known.set(socket, identity);
  }
  return identity ?? undefined;
}

function identityOf(certificate: PeerCertificate): Identity | null {
  const { CN, O } = (certificate.subject ?? {}) as { CN?: string | string[]; O?: string | string[] };
  const names = [CN ?? []].flat();
  if (names.length !== 1 || names[0] === '') return null;
  return { name: names[0]!, groups: [...[O ?? []].flat(), 'system:authenticated'] };
}
