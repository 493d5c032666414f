/** Who may do what: administrators, what is public, nodes by their pods, everybody else by Roles. Sees what the handler sees. */
import { type Attributes, isPath } from './auth/attributes.js';
import { nodeMay } from './auth/node.js';
import { Rbac, type RbacView } from './auth/rbac.js';

/** Further facts about who it is, `authentication.kubernetes.io/pod-name` and the like. */
export type Extra = Readonly<Record<string, readonly string[]>>;

export interface Identity {
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid?: string;
  readonly extra?: Extra;
}

export const authenticated = 'system:authenticated';
export const anonymous: Identity = { name: 'system:anonymous', groups: ['system:unauthenticated'] };
export const admins = 'system:masters';
export const nodes = 'system:nodes';
const nodePrefix = 'system:node:';

export interface Verdict {
  readonly allowed: boolean;
  /** For the audit log and reviews; may be empty. */
  readonly reason: string;
}

/** A node's name, for identities of nodes. */
export function nodeNameOf(identity: Identity): string | undefined {
  return identity.groups.includes(nodes) && identity.name.startsWith(nodePrefix)
    ? identity.name.slice(nodePrefix.length)
    : undefined;
}

const master: Verdict = { allowed: true, reason: 'system:masters may do everything' };
const open: Verdict = { allowed: true, reason: 'health and version are public' };
const ofNode: Verdict = { allowed: true, reason: 'a node may see to itself and to its pods' };

export class Authorizer {
  readonly rbac: Rbac;
  readonly #view: RbacView;

  constructor(view: RbacView) {
    this.#view = view;
    this.rbac = new Rbac(view);
  }

  decide(identity: Identity, attributes: Attributes): Verdict {
    if (identity.groups.includes(admins)) return master;
    if (isPublic(attributes)) return open;
    const node = nodeNameOf(identity);
    if (node !== undefined && nodeMay(node, attributes, this.#view)) return ofNode;
    return this.rbac.decide(identity, attributes);
  }
}

/** Somebody who writes, and what they may do beyond the write itself. */
export interface Actor {
  readonly identity: Identity;
  readonly authorizer: Authorizer;
}

const publicPaths: ReadonlySet<string> = new Set(['/healthz', '/livez', '/readyz', '/version', '/version/']);
const publicPrefix = /^\/(healthz|livez|readyz)\//;

/** How a load balancer or a client that has no credentials yet finds out what this is, and whether it works. */
function isPublic(attributes: Attributes): boolean {
  if (!isPath(attributes) || attributes.verb !== 'get') return false;
  return publicPaths.has(attributes.path) || publicPrefix.test(attributes.path);
}
