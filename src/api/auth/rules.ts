/** What one RBAC rule allows. Pure; every request of everybody but the administrator goes through here. */
import type { PolicyRule } from '../../kube/api/rbac-v1.js';
import { type Attributes, isPath, type ResourceAttributes } from './attributes.js';

const all = '*';

export function allows(rule: PolicyRule, attributes: Attributes): boolean {
  return (
    has(rule.verbs, attributes.verb) &&
    (isPath(attributes) ? hasPath(rule, attributes.path) : allowsResource(rule, attributes))
  );
}

function allowsResource(rule: PolicyRule, { group, resource, name }: ResourceAttributes): boolean {
  return has(rule.apiGroups, group) && hasResource(rule.resources, resource) && hasName(rule.resourceNames, name);
}

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list !== undefined && (list.includes(all) || list.includes(value));

/** `pods/exec` is allowed by itself, by `*`, and by `*` with the subresource; never by `pods`. */
function hasResource(list: readonly string[] | undefined, resource: string): boolean {
  if (has(list, resource)) return true;
  const slash = resource.indexOf('/');
  return slash >= 0 && list !== undefined && list.includes(all + resource.slice(slash));
}

/** Without names a rule is about all objects; with names never about a request that has none, such as a list. */
function hasName(names: readonly string[] | undefined, name: string | undefined): boolean {
  return !names || names.length === 0 || (name !== undefined && names.includes(name));
}

const hasPath = ({ nonResourceURLs = [] }: PolicyRule, path: string): boolean =>
  nonResourceURLs.some(url => pathMatches(url, path));

/** A `*` counts at the end only. */
export const pathMatches = (pattern: string, path: string): boolean =>
  pattern === path || (pattern.endsWith(all) && path.startsWith(pattern.slice(0, -1)));
