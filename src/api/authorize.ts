/** Who may do what. One pure function until there is RBAC; it sees the same parsed request as the handler. */
import type { Route } from './route.js';

export interface Identity {
  readonly name: string;
  readonly groups: readonly string[];
}

export const anonymous: Identity = { name: 'system:anonymous', groups: ['system:unauthenticated'] };
export const admins = 'system:masters';
export const nodes = 'system:nodes';
const nodePrefix = 'system:node:';

export interface Attributes {
  /** `get`, `list`, `create`, …; for non-resources the lower-case method. */
  readonly verb: string;
  readonly route: Route;
  readonly path: string;
}

export type Verdict = { readonly allowed: true } | { readonly allowed: false; readonly reason: string };

const yes: Verdict = { allowed: true };

/** A node's name, for identities of nodes. */
export function nodeNameOf(identity: Identity): string | undefined {
  return identity.groups.includes(nodes) && identity.name.startsWith(nodePrefix)
    ? identity.name.slice(nodePrefix.length)
    : undefined;
}

export function authorize(identity: Identity, attributes: Attributes): Verdict {
  if (identity.groups.includes(admins) || isPublic(attributes)) return yes;
  const node = nodeNameOf(identity);
  if (node !== undefined && nodeMay(node, attributes)) return yes;
  return { allowed: false, reason: refusal(identity, attributes) };
}

function isPublic({ verb, route }: Attributes): boolean {
  return verb === 'get' && (route.to === 'health' || route.to === 'version');
}

/** The link carries all that a node needs, and hands it only what is its business; of the API it sees nothing but itself. */
function nodeMay(node: string, { verb, route, path }: Attributes): boolean {
  if (path === '/link/v1' || route.to === 'discovery' || route.to === 'openapi') return true;
  if (route.to !== 'resource' || verb !== 'get' || route.subresource !== undefined || route.name !== node) return false;
  return route.plural === 'nodes' || (route.plural === 'leases' && route.namespace === 'kube-node-lease');
}

function refusal({ name }: Identity, { verb, route, path }: Attributes): string {
  if (route.to !== 'resource') return `User ${JSON.stringify(name)} cannot ${verb} path ${JSON.stringify(path)}`;
  const what = route.subresource ? `${route.plural}/${route.subresource}` : route.plural;
  const where =
    route.namespace !== undefined ? `in the namespace ${JSON.stringify(route.namespace)}` : 'at the cluster scope';
  return `User ${JSON.stringify(name)} cannot ${verb} resource ${JSON.stringify(what)} in API group ${JSON.stringify(route.group)} ${where}`;
}
