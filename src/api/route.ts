/** URL path → what is asked for. Pure; the authoriser and the handler use the same result. */

export type Route =
  | {
      readonly to: 'resource';
      readonly group: string;
      readonly version: string;
      readonly namespace?: string;
      readonly plural: string;
      readonly name?: string;
      readonly subresource?: string;
      /** Of proxy only: the path behind it, as it came, with its leading `/`. */
      readonly rest?: string;
    }
  | { readonly to: 'discovery'; readonly path: readonly string[] }
  | { readonly to: 'openapi'; readonly path: readonly string[] }
  | { readonly to: 'version' }
  | { readonly to: 'health'; readonly check: string }
  | { readonly to: 'other' };

/** The path has segments that no name can have: refused before anything looks at it. */
export class PathError extends Error {
  override name = 'PathError';
}

/** Throws PathError. @param path as it came, without the query. */
export function parseRoute(path: string): Route {
  const proxied = proxyForm.exec(path);
  // what is behind it is the backend's: nothing of it is decoded or judged here
  if (proxied) return { ...parsePlain(proxied[1]!), ...(proxied[2] !== undefined && { rest: proxied[2] }) } as Route;
  return parsePlain(path);
}

const proxyForm = /^(\/api\/v1\/(?:namespaces\/[^/]+\/)?(?:pods|services|nodes)\/[^/]+\/proxy)(\/.*)?$/;

function parsePlain(path: string): Route {
  const parts = segments(path);
  switch (parts[0]) {
    case 'api':
      if (parts.length <= 2) return { to: 'discovery', path: parts };
      return resource('', parts[1]!, parts.slice(2));
    case 'apis':
      if (parts.length <= 3) return { to: 'discovery', path: parts };
      return resource(parts[1]!, parts[2]!, parts.slice(3));
    case 'openapi':
      return { to: 'openapi', path: parts.slice(1) };
    case 'version':
      return parts.length === 1 ? { to: 'version' } : { to: 'other' };
    case 'healthz':
    case 'readyz':
    case 'livez':
      return { to: 'health', check: parts[0] };
    default:
      return { to: 'other' };
  }
}

function segments(path: string): string[] {
  const trimmed = path.endsWith('/') ? path.slice(0, -1) : path;
  if (trimmed === '') return [];
  return trimmed.slice(1).split('/').map(segment);
}

function segment(raw: string): string {
  let text: string;
  try {
    text = decodeURIComponent(raw);
  } catch {
    throw new PathError(`path segment "${raw}" is not valid percent-encoding`);
  }
  if (text === '' || text === '.' || text === '..' || text.length > 512 || text.includes('/') || text.includes('\0'))
    throw new PathError(`path segment "${raw}" is not allowed`);
  return text;
}

/** `[namespaces/NS/]resource[/name[/subresource]]`; a namespace itself is `namespaces/NAME`. */
function resource(group: string, version: string, parts: readonly string[]): Route {
  const base = { to: 'resource' as const, group, version };
  const inNamespace =
    parts[0] === 'namespaces' && parts.length > 2 && !(parts.length === 3 && isNamespaceSubresource(group, parts[2]!));
  const [plural, name, ...rest] = inNamespace ? parts.slice(2) : parts;
  if (plural === undefined || rest.length > 1) return { to: 'other' };
  return {
    ...base,
    ...(inNamespace && { namespace: parts[1]! }),
    plural,
    ...(name !== undefined && { name }),
    ...(rest[0] !== undefined && { subresource: rest[0] }),
  };
}

const isNamespaceSubresource = (group: string, part: string): boolean =>
  group === '' && (part === 'status' || part === 'finalize');
