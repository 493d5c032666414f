/**
 * Who may do what by Roles and bindings. Bindings are indexed by subject, roles are looked up when they are asked for: a
 * decision costs microseconds, however many bindings there are.
 */
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  RoleBinding,
  RoleRef,
  Subject,
} from '../../kube/api/rbac-v1.js';
import type { Identity, Verdict } from '../authorize.js';
import type { ObjectView } from '../view.js';
import { type Attributes, isPath } from './attributes.js';
import { allows } from './rules.js';

export type RbacView = Pick<ObjectView, 'get' | 'list' | 'subscribe'>;

/** One binding as one of its subjects sees it. */
interface Grant {
  readonly roleRef: RoleRef;
  /** Of the binding; undefined for the whole cluster. */
  readonly namespace: string | undefined;
  readonly reason: string;
}

type Grants = ReadonlyMap<string, readonly Grant[]>;

export class Rbac {
  readonly #view: RbacView;
  #cluster: Grants | undefined;
  readonly #namespaces = new Map<string, Grants>();

  constructor(view: RbacView) {
    this.#view = view;
    view.subscribe(({ kind, object }) => {
      if (kind === 'ClusterRoleBinding') this.#cluster = undefined;
      else if (kind === 'RoleBinding') this.#namespaces.delete(object.metadata.namespace ?? '');
    });
  }

  decide(identity: Identity, attributes: Attributes): Verdict {
    const missing: string[] = [];
    for (const grant of this.#grants(identity, isPath(attributes) ? undefined : attributes.namespace)) {
      const rules = this.#rulesOf(grant);
      if (!rules) missing.push(notFound(grant.roleRef));
      else if (rules.some(rule => allows(rule, attributes))) return { allowed: true, reason: grant.reason };
    }
    return { allowed: false, reason: missing.length > 0 ? `RBAC: ${listed(missing)}` : '' };
  }

  /** Everything that somebody holds in a namespace (and in the whole cluster), with the roles that are not there. */
  rulesFor(identity: Identity, namespace: string | undefined): { rules: PolicyRule[]; missing: string[] } {
    const missing: string[] = [];
    const rules = [...this.#grants(identity, namespace)].flatMap(grant => {
      const found = this.#rulesOf(grant);
      if (!found) missing.push(notFound(grant.roleRef));
      return found ?? [];
    });
    return { rules, missing };
  }

  /** The rules that a reference leads to; undefined if there is no such role. */
  rulesOfRole(roleRef: RoleRef, namespace: string | undefined): readonly PolicyRule[] | undefined {
    return this.#rulesOf({ roleRef, namespace });
  }

  #rulesOf({ roleRef, namespace }: Pick<Grant, 'roleRef' | 'namespace'>): readonly PolicyRule[] | undefined {
    const role = this.#view.get(roleRef.kind, roleRef.kind === 'Role' ? namespace : undefined, roleRef.name);
    return role && ((role as unknown as ClusterRole).rules ?? []);
  }

  *#grants(identity: Identity, namespace: string | undefined): Iterable<Grant> {
    this.#cluster ??= this.#index('ClusterRoleBinding', undefined);
    const indexes = namespace === undefined ? [this.#cluster] : [this.#cluster, this.#indexOf(namespace)];
    for (const index of indexes) {
      if (index.size === 0) continue;
      yield* index.get(`User/${identity.name}`) ?? [];
      for (const group of identity.groups) yield* index.get(`Group/${group}`) ?? [];
    }
  }

  #indexOf(namespace: string): Grants {
    const found = this.#namespaces.get(namespace);
    if (found) return found;
    const made = this.#index('RoleBinding', namespace);
    // names of namespaces come from the outside: only those that have bindings are worth a place
    if (made.size > 0) this.#namespaces.set(namespace, made);
    return made;
  }

  #index(kind: 'RoleBinding' | 'ClusterRoleBinding', namespace: string | undefined): Grants {
    const index = new Map<string, Grant[]>();
    for (const object of this.#view.list(kind, namespace)) {
      const binding = object as unknown as RoleBinding | ClusterRoleBinding;
      for (const subject of binding.subjects ?? []) {
        const key = keyOf(subject, namespace);
        if (key === undefined) continue;
        const grant = { roleRef: binding.roleRef, namespace, reason: reasonOf(kind, binding, subject) };
        const known = index.get(key);
        if (known) known.push(grant);
        else index.set(key, [grant]);
      }
    }
    return index;
  }
}

/** A ServiceAccount is the user that its tokens speak for. */
function keyOf({ kind, name, namespace = '' }: Subject, bound: string | undefined): string | undefined {
  if (kind === 'ServiceAccount') return `User/system:serviceaccount:${namespace || (bound ?? '')}:${name}`;
  return kind === 'User' || kind === 'Group' ? `${kind}/${name}` : undefined;
}

/** `RBAC: allowed by RoleBinding "b/ns" of Role "r" to User "u"` */
function reasonOf(kind: string, { metadata, roleRef }: RoleBinding | ClusterRoleBinding, subject: Subject): string {
  const { namespace } = metadata;
  const binding = namespace === undefined ? metadata.name : `${metadata.name}/${namespace}`;
  const to =
    subject.kind === 'ServiceAccount' ? `${subject.name}/${subject.namespace || (namespace ?? '')}` : subject.name;
  return `RBAC: allowed by ${kind} ${JSON.stringify(binding)} of ${roleRef.kind} ${JSON.stringify(roleRef.name)} to ${subject.kind} ${JSON.stringify(to)}`;
}

const notFound = ({ kind, name }: RoleRef): string =>
  `${kind.toLowerCase()}.rbac.authorization.k8s.io ${JSON.stringify(name)} not found`;

const listed = (texts: readonly string[]): string => (texts.length === 1 ? texts[0]! : `[${texts.join(', ')}]`);
