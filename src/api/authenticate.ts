/** Who sends a request: a client certificate of our CA, a bearer token, or nobody. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { bootstrapIdentity, bootstrapTokenFormat } from './auth/bootstrap-tokens.js';
import type { ServiceAccountTokens, TokenVerdict } from './auth/service-account-tokens.js';
import { anonymous, authenticated, type Identity } from './authorize.js';
import { unauthorized } from './errors.js';
import type { ObjectView } from './view.js';

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

export interface AuthenticatorOptions {
  readonly tokens: TokenList;
  readonly accounts: ServiceAccountTokens;
  readonly view: Pick<ObjectView, 'get'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export class Authenticator {
  readonly #options: AuthenticatorOptions;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /** At once for all but a token seen for the first time. Throws StatusError 401 for credentials that are wrong. */
  authenticate(request: IncomingMessage): Identity | Promise<Identity> {
    const certificate = certificateIdentity(request.socket as TLSSocket);
    if (certificate) return certificate;
    const header = request.headers.authorization;
    if (header === undefined) {
      if (certificate === null) throw unauthorized();
      return anonymous;
    }
    // most requests: a token seen before, as all clients write it
    const remembered = header.startsWith('Bearer ') && this.#options.accounts.remembered(header.slice(7));
    if (remembered) return identityOf(remembered);
    const token = /^Bearer +([\x21-\x7e]{1,8192})$/i.exec(header)?.[1];
    if (token === undefined) throw unauthorized();
    const known = this.#known(token);
    return known ?? this.#options.accounts.verify(token).then(identityOf);
  }

  /** For a review: the same, and which of the audiences it is for. */
  async review(token: string, audiences: readonly string[] | undefined): Promise<TokenVerdict> {
    const { tokens, accounts } = this.#options;
    const identity = tokens.find(token) ?? this.#bootstrap(token);
    // such a token is for this server only
    if (identity)
      return audiences?.length ? { ok: false, why: 'token is for no audience' } : { ok: true, identity, audiences: [] };
    return accounts.verify(token, audiences?.length ? audiences : undefined);
  }

  #known(token: string): Identity | undefined {
    return this.#options.tokens.find(token) ?? this.#bootstrap(token);
  }

  #bootstrap(token: string): Identity | undefined {
    const { view, now } = this.#options;
    return bootstrapTokenFormat.test(token) ? bootstrapIdentity(token, view, now()) : undefined;
  }
}

function identityOf(verdict: TokenVerdict): Identity {
  if (!verdict.ok) throw unauthorized();
  return verdict.identity;
}

/** By connection. Null: a certificate that is not of our CA, or says no name. */
const known = new WeakMap<object, { readonly identity: Identity | null | undefined }>();

/** Who the connection's certificate speaks for; undefined where there is none. One look per connection. */
function certificateIdentity(socket: TLSSocket): Identity | null | undefined {
  let found = known.get(socket);
  if (!found) {
    found = { identity: lookAt(socket) };
    known.set(socket, found);
  }
  return found.identity;
}

function lookAt(socket: TLSSocket): Identity | null | undefined {
  const certificate = socket.getPeerCertificate?.();
  if (!certificate || Object.keys(certificate).length === 0) return undefined;
  return socket.authorized ? nameIn(certificate) : null;
}

function nameIn({ subject, fingerprint256 = '' }: PeerCertificate): Identity | null {
  const { CN, O } = (subject ?? {}) as { CN?: string | string[]; O?: string | string[] };
  const names = [CN ?? []].flat();
  if (names.length !== 1 || names[0] === '') return null;
  const id = `X509SHA256=${fingerprint256.replaceAll(':', '').toLowerCase()}`;
  return {
    name: names[0]!,
    groups: [...[O ?? []].flat(), authenticated],
    extra: { 'authentication.kubernetes.io/credential-id': [id] },
  };
}
