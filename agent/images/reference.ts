/**
 * Image references, after the grammar of distribution/reference: `[domain/]path[:tag][@digest]`. Normalised the way
 * docker and kubelet do: `nginx` is `docker.io/library/nginx:latest`. Pure.
 */
import { InvalidImageName } from './contract.js';

export interface Reference {
  /** `docker.io`, `localhost:5000` */
  readonly domain: string;
  /** `library/nginx` */
  readonly path: string;
  readonly tag?: string;
  /** `sha256:…` */
  readonly digest?: string;
}

const domainPattern =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/;
const componentPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const digestPattern = /^sha256:[0-9a-f]{64}$/;
const maxName = 255;

function invalid(text: string, why: string): InvalidImageName {
  return new InvalidImageName(`couldn't parse image name "${text}": ${why}`);
}

/** Cuts at the last `separator` after the last slash; a port's colon lies before it. */
function cutTag(name: string): [name: string, tag: string | undefined] {
  const at = name.indexOf(':', name.lastIndexOf('/') + 1);
  return at < 0 ? [name, undefined] : [name.slice(0, at), name.slice(at + 1)];
}

/** The first part is a domain if it could not be a path: with a dot, a colon, a capital letter, or `localhost`. */
function splitDomain(name: string): [domain: string, path: string] {
  const at = name.indexOf('/');
  const first = name.slice(0, Math.max(0, at));
  const isDomain = at > 0 && (/[.:A-Z[]/.test(first) || first === 'localhost');
  const domain = isDomain ? first.replace(/^index\.docker\.io$/, 'docker.io') : 'docker.io';
  const path = isDomain ? name.slice(at + 1) : name;
  return [domain, domain === 'docker.io' && !path.includes('/') ? `library/${path}` : path];
}

/** @throws InvalidImageName with the part that is wrong */
export function parseReference(text: string): Reference {
  if (text.length > maxName + 128 + 80) throw invalid(text.slice(0, 60), 'it is too long');
  const [named = '', digest, ...more] = text.split('@');
  if (more.length > 0 || (digest !== undefined && !digestPattern.test(digest)))
    throw invalid(text, 'invalid digest; expected sha256 and 64 hex digits');
  const [name, tag] = cutTag(named);
  if (tag !== undefined && !tagPattern.test(tag)) throw invalid(text, `invalid tag "${tag}"`);
  const [domain, path] = splitDomain(name);
  if (!domainPattern.test(domain)) throw invalid(text, `invalid domain "${domain}"`);
  checkPath(text, name, path);
  return {
    domain,
    path,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
    ...(!tag && !digest && { tag: 'latest' }),
  };
}

function checkPath(text: string, name: string, path: string): void {
  if (/^[0-9a-f]{64}$/.test(name)) throw invalid(text, 'a name of 64 hex digits cannot be told from an image id');
  if (name.length > maxName) throw invalid(text, `the name has more than ${maxName} characters`);
  const wrong = path.split('/').find(component => !componentPattern.test(component));
  if (wrong === undefined) return;
  throw invalid(
    text,
    /[A-Z]/.test(wrong)
      ? `invalid reference format: repository name (${path}) must be lowercase`
      : `invalid reference format at "${wrong}"`,
  );
}

export function formatReference({ domain, path, tag, digest }: Reference): string {
  return `${domain}/${path}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** `nginx` → `docker.io/library/nginx:latest`. */
export function normalizeReference(text: string): string {
  return formatReference(parseReference(text));
}
