/** Signs and verifies the tokens of ServiceAccounts (JWT, ES256). A token's signature is looked at once, its bindings always. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { errors, exportJWK, type JWK, jwtVerify, SignJWT } from 'jose';
import type { KubeObject } from '../../kube/meta.js';
import type { Identity } from '../authorize.js';
import type { ObjectView } from '../view.js';
import {
  claimsFor,
  fallen,
  identityOf,
  legacyClaims,
  legacyIssuer,
  readClaims,
  type TokenClaims,
  type TokenOrder,
  tokenIssuer,
} from './claims.js';

const algorithm = 'ES256';
/** So many verified tokens are remembered. */
const cacheLimit = 4000;

export interface VerifiedToken {
  readonly claims: TokenClaims;
  readonly identity: Identity;
}

export interface IssuedToken {
  readonly token: string;
  /** Milliseconds since 1970: what the bearer is told. */
  readonly expires: number;
}

export type TokenVerdict =
  | { readonly ok: true; readonly identity: Identity; readonly audiences: readonly string[] }
  | { readonly ok: false; readonly why: string };

export interface TokenOptions {
  /** PEM, PKCS 8, P-256. */
  readonly key: string;
  readonly view: Pick<ObjectView, 'get'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export class ServiceAccountTokens {
  readonly #private: KeyObject;
  readonly #public: KeyObject;
  readonly #keyId: string;
  readonly #options: TokenOptions;
  /** By the token itself: hashing it at every request would cost more than everything else that is done about it. */
  readonly #verified = new Map<string, VerifiedToken>();

  constructor(options: TokenOptions) {
    this.#options = options;
    this.#private = createPrivateKey(options.key);
    this.#public = createPublicKey(this.#private);
    const der = this.#public.export({ type: 'spki', format: 'der' });
    this.#keyId = createHash('sha256').update(der).digest('base64url');
  }

  async issue(order: TokenOrder): Promise<IssuedToken> {
    const now = this.#options.now();
    const claims = claimsFor(order, now);
    return { token: await this.#sign({ ...claims }), expires: (claims.iat + order.seconds) * 1000 };
  }

  /** For a Secret of type `kubernetes.io/service-account-token`. */
  issueLegacy(account: KubeObject, secret: KubeObject): Promise<string> {
    return this.#sign(legacyClaims(account, secret));
  }

  #sign(claims: Record<string, unknown>): Promise<string> {
    return new SignJWT(claims).setProtectedHeader({ alg: algorithm, kid: this.#keyId }).sign(this.#private);
  }

  /** The key set that others verify with. */
  async keySet(): Promise<{ keys: JWK[] }> {
    return { keys: [{ use: 'sig', alg: algorithm, kid: this.#keyId, ...(await exportJWK(this.#public)) }] };
  }

  /** @param audiences one of them must be the token's. */
  async verify(token: string, audiences: readonly string[] = [tokenIssuer]): Promise<TokenVerdict> {
    const known = this.#remembered(token) ?? (await this.#check(token));
    if ('why' in known) return { ok: false, why: known.why };
    return this.#judge(token, known, audiences);
  }

  /** The same at once, for a token that has been verified before; undefined for one that has not. */
  remembered(token: string): TokenVerdict | undefined {
    const known = this.#remembered(token);
    return known && this.#judge(token, known, [tokenIssuer]);
  }

  #remembered(token: string): VerifiedToken | undefined {
    return this.#verified.get(token);
  }

  #judge(token: string, { claims, identity }: VerifiedToken, wanted: readonly string[]): TokenVerdict {
    const { view, now } = this.#options;
    const audiences = wanted.filter(audience => claims.aud.includes(audience));
    if (audiences.length === 0)
      return {
        ok: false,
        why: `token audiences ${JSON.stringify(claims.aud)} is invalid for the target audiences ${JSON.stringify(wanted)}`,
      };
    const why = fallen(claims, view, now()) ?? this.#replaced(token, claims);
    return why === undefined ? { ok: true, identity, audiences } : { ok: false, why };
  }

  /** A Secret's token counts only while the Secret holds exactly that. */
  #replaced(token: string, { iss, 'kubernetes.io': claims }: TokenClaims): string | undefined {
    if (iss !== legacyIssuer) return undefined;
    const secret = this.#options.view.get('Secret', claims.namespace, claims.secret?.name ?? '');
    const held = (secret?.data as Record<string, string> | undefined)?.token ?? '';
    const same = Buffer.from(held, 'base64').toString('utf8') === token;
    return same ? undefined : 'service account token has been invalidated: secret holds another one';
  }

  async #check(token: string): Promise<VerifiedToken | { readonly why: string }> {
    try {
      const { payload } = await jwtVerify(token, this.#public, {
        algorithms: [algorithm],
        issuer: [tokenIssuer, legacyIssuer],
        currentDate: new Date(this.#options.now()),
      });
      const claims = readClaims(payload);
      if (!claims) return { why: 'token has no claims of a service account' };
      const verified = { claims: { ...claims, aud: [claims.aud].flat() }, identity: identityOf(claims) };
      this.#remember(token, verified);
      return verified;
    } catch (error) {
      if (error instanceof errors.JOSEError) return { why: `invalid bearer token: ${error.message}` };
      throw error;
    }
  }

  #remember(token: string, verified: VerifiedToken): void {
    // the oldest goes: a Map keeps the order of insertion
    if (this.#verified.size >= cacheLimit) this.#verified.delete(this.#verified.keys().next().value ?? '');
    this.#verified.set(token, verified);
  }
}
