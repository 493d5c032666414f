/** Whether a set of rules allows everything that another one allows: nobody may grant more than they hold. Pure. */
import type { PolicyRule } from '../../kube/api/rbac-v1.js';
import { pathMatches } from './rules.js';

/** What of `wanted` is not in `held`, as one-verb rules. Empty: all of it is held. */
export function missingRules(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted.flatMap(splitRule).filter(one => !held.some(rule => covers(rule, one)));
}

/** Into rules of one group, resource, name and verb, or of one path and verb: only those can be found in one held rule each. */
function splitRule(rule: PolicyRule): PolicyRule[] {
  const { apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [], verbs = [] } = rule;
  const paths = nonResourceURLs.flatMap(url => verbs.map(verb => ({ verbs: [verb], nonResourceURLs: [url] })));
  const onResources = apiGroups.flatMap(group =>
    resources.flatMap(resource =>
      verbs.flatMap(verb => named({ verbs: [verb], apiGroups: [group], resources: [resource] }, resourceNames)),
    ),
  );
  return [...onResources, ...paths];
}

const named = (rule: PolicyRule, names: readonly string[]): PolicyRule[] =>
  names.length === 0 ? [rule] : names.map(name => ({ ...rule, resourceNames: [name] }));

function covers(held: PolicyRule, one: PolicyRule): boolean {
  if (!hasAll(held.verbs, one.verbs)) return false;
  if (one.nonResourceURLs)
    return one.nonResourceURLs.every(path => held.nonResourceURLs?.some(url => pathMatches(url, path)));
  return hasAll(held.apiGroups, one.apiGroups) && hasResources(held, one) && hasNames(held, one);
}

function hasAll(held: readonly string[] = [], wanted: readonly string[] = []): boolean {
  return held.includes('*') || wanted.every(item => held.includes(item));
}

function hasResources({ resources: held = [] }: PolicyRule, { resources: wanted = [] }: PolicyRule): boolean {
  return (
    hasAll(held, wanted) ||
    wanted.every(
      item => held.includes(item) || (item.includes('/') && held.includes(`*${item.slice(item.indexOf('/'))}`)),
    )
  );
}

function hasNames({ resourceNames: held = [] }: PolicyRule, { resourceNames: wanted = [] }: PolicyRule): boolean {
  return held.length === 0 || (wanted.length > 0 && wanted.every(name => held.includes(name)));
}

/** The verbs of rules that are otherwise the same, together, as people want to read them. */
export function compactRules(rules: readonly PolicyRule[]): PolicyRule[] {
  const merged = new Map<string, PolicyRule>();
  for (const rule of rules) {
    const { verbs = [], ...rest } = rule;
    const key = JSON.stringify(rest);
    merged.set(key, { ...rule, verbs: [...(merged.get(key)?.verbs ?? []), ...verbs] });
  }
  return [...merged.values()];
}

/** `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}` */
export function describeRule({ apiGroups, resources, nonResourceURLs, resourceNames, verbs }: PolicyRule): string {
  const parts: readonly (readonly [string, readonly string[] | undefined])[] = [
    ['APIGroups', apiGroups],
    ['Resources', resources],
    ['NonResourceURLs', nonResourceURLs],
    ['ResourceNames', resourceNames],
    ['Verbs', verbs],
  ];
  const shown = parts.filter(([, list]) => list && list.length > 0);
  return `{${shown.map(([name, list]) => `${name}:${quoteList(list ?? [])}`).join(', ')}}`;
}

/** `["a" "b"]`, as Kubernetes shows lists in its messages. */
export const quoteList = (list: readonly string[]): string => `[${list.map(item => JSON.stringify(item)).join(' ')}]`;
