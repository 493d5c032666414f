/**
 * Tokens of ServiceAccounts in volumes: asked of the controller while the sandbox is made, kept in the pod's own directory
 * only, renewed at 80 % of their life (reliability rule B12). What is on disk tells how old it is, also after a restart.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod, Volume } from '../../src/kube/pod.js';
import type { TokenRequest } from '../../src/link/frames.js';
import { type TokenSource, type VolumeContext, VolumeError } from './contract.js';
import { type FileContent, fsGroupOf, pathInVolume } from './files.js';

const defaultSeconds = 3600;
const daySeconds = 24 * 3600;
const renewPart = 0.8;
/** An answer that nobody has fetched by then is forgotten. */
const prefetchedMs = 60_000;

/** Asks once for what is wanted twice: by the prefetch, and by the volume. */
export class TokenKeeper {
  readonly #ask: (request: TokenRequest) => Promise<string>;
  readonly #now: () => number;
  readonly #under = new Map<string, { readonly token: Promise<string>; readonly at: number }>();

  /** @param now milliseconds since 1970. */
  constructor(ask: (request: TokenRequest) => Promise<string>, now: () => number) {
    this.#ask = ask;
    this.#now = now;
  }

  prefetch(pod: Pod): void {
    for (const [key, { at }] of this.#under) if (this.#now() - at > prefetchedMs) this.#under.delete(key);
    for (const source of sourcesOf(pod)) this.#begin(pod, source).catch(() => {});
  }

  /** Rejects with an Error saying why there is none. */
  get(pod: Pod, source: TokenSource): Promise<string> {
    const key = keyOf(pod, source);
    const known = this.#under.get(key);
    const token = known && this.#now() - known.at < prefetchedMs ? known.token : this.#begin(pod, source);
    this.#under.delete(key);
    return token;
  }

  #begin(pod: Pod, source: TokenSource): Promise<string> {
    const { namespace = 'default', name, uid = '' } = pod.metadata;
    const { audience, expirationSeconds: seconds = defaultSeconds } = source;
    const token = this.#ask({ namespace, name, uid, seconds, ...(audience && { audience }) });
    this.#under.set(keyOf(pod, source), { token, at: this.#now() });
    return token;
  }
}

const keyOf = ({ metadata }: Pod, { audience = '', expirationSeconds = 0 }: TokenSource): string =>
  `${metadata.uid}/${expirationSeconds}/${audience}`;

function sourcesOf(pod: Pod): TokenSource[] {
  return (pod.spec.volumes ?? []).flatMap(volume =>
    (volume.projected?.sources ?? []).flatMap(({ serviceAccountToken: source }) => source ?? []),
  );
}

/** The one on disk while it is good, else a new one; an old one that still counts rather than none. Throws VolumeError. */
export async function tokenFile(
  volume: string,
  source: TokenSource,
  defaultMode: number,
  context: VolumeContext,
): Promise<FileContent> {
  const path = pathInVolume(volume, source.path);
  const held = await readHeld(context.directory, path);
  const now = Date.now();
  const token =
    held && now < held.renewAt(source)
      ? held.token
      : await context.token(source).catch((error: Error) => {
          if (held && now < held.endsAt) return held.token;
          throw new VolumeError(
            `MountVolume.SetUp failed for volume "${volume}" : failed to fetch token: ${error.message}`,
            { cause: error },
          );
        });
  return { path, data: Buffer.from(token), ...readableBy(context.pod, defaultMode) };
}

/** The pod's one user, or its group, and nobody else; where it has neither, all of its users must be able to (kubelet). */
function readableBy(pod: Pod, defaultMode: number): Pick<FileContent, 'mode' | 'owner'> {
  const owner = onlyUser(pod);
  if (owner !== undefined) return { mode: 0o600, owner };
  return { mode: fsGroupOf(pod) === undefined ? defaultMode : 0o600 };
}

/** Whom all of the pod's containers run as, if that is said and the same for all. */
function onlyUser({ spec }: Pod): number | undefined {
  const users = new Set(
    [...spec.containers, ...(spec.initContainers ?? [])].map(
      ({ securityContext }) => securityContext?.runAsUser ?? spec.securityContext?.runAsUser,
    ),
  );
  return users.size === 1 ? [...users][0] : undefined;
}

/** Whether a token of the volume is to be renewed. @param now milliseconds since 1970. */
export async function hasTokenDue(volume: Volume, directory: string, now: number): Promise<boolean> {
  for (const { serviceAccountToken: source } of volume.projected?.sources ?? []) {
    const held = source && (await readHeld(directory, source.path));
    if (held && now >= held.renewAt(source)) return true;
  }
  return false;
}

interface Held {
  readonly token: string;
  /** Milliseconds since 1970, as `renewAt`. */
  readonly endsAt: number;
  readonly renewAt: (source: TokenSource) => number;
}

async function readHeld(directory: string, path: string): Promise<Held | undefined> {
  const token = await readFile(join(directory, '..data', path), 'utf8').catch(() => undefined);
  return token === undefined ? undefined : heldToken(token);
}

/** Undefined for what is no token. Its own claims are enough: it was written by this node. */
export function heldToken(token: string): Held | undefined {
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
      iat: number;
      exp: number;
    };
    const life = ({ expirationSeconds = defaultSeconds }: TokenSource): number =>
      Math.min(expirationSeconds * renewPart, daySeconds);
    return { token, endsAt: claims.exp * 1000, renewAt: source => (claims.iat + life(source)) * 1000 };
  } catch {
    return undefined;
  }
}
