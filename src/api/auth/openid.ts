/** What others need to verify ServiceAccount tokens by themselves (OpenID Connect discovery). */
import { tokenIssuer } from './claims.js';
import type { ServiceAccountTokens } from './service-account-tokens.js';

const keysPath = '/openid/v1/jwks';

/** Undefined: the path is another one's. */
export async function openIdDocument(
  path: string,
  accounts: ServiceAccountTokens,
): Promise<{ readonly contentType: string; readonly body: object } | undefined> {
  if (path === '/.well-known/openid-configuration') return { contentType: 'application/json', body: configuration };
  if (path === keysPath) return { contentType: 'application/jwk-set+json', body: await accounts.keySet() };
  return undefined;
}

const configuration = {
  issuer: tokenIssuer,
  jwks_uri: `${tokenIssuer}${keysPath}`,
  response_types_supported: ['id_token'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: ['ES256'],
};
