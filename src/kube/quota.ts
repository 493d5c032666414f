/** What counts against a ResourceQuota, and whether it fits. Pure; admission and the quota controller both use it. */
import type { ResourceQuota, ResourceQuotaSpec, Service } from './api/core-v1.js';
import type { KubeObject } from './meta.js';
import type { Pod } from './pod.js';
import { podLimits, podRequests } from './pod-resources.js';
import { qosClass } from './qos.js';
import { quantityNanos, quantityOf } from './quantity.js';

/** One kind of object, as quota names it. */
export interface Counted {
  readonly group: string;
  readonly plural: string;
}

const one = 1_000_000_000n;
/** Counted by their bare names too, for historical reasons. */
const bareNames = new Set([
  'pods',
  'services',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
]);

/** Nano-units by the quota's own resource names that this object takes. */
export function usageOf(kind: Counted, object: KubeObject): Map<string, bigint> {
  const usage = new Map<string, bigint>();
  const isPod = kind.group === '' && kind.plural === 'pods';
  usage.set(`count/${kind.plural}${kind.group ? `.${kind.group}` : ''}`, one);
  if (kind.group === '' && bareNames.has(kind.plural) && !(isPod && isFinished(object as Pod)))
    usage.set(kind.plural, one);
  if (isPod) addPod(usage, object as Pod);
  else if (kind.group === '' && kind.plural === 'services') addService(usage, object as Service);
  else if (kind.group === '' && kind.plural === 'persistentvolumeclaims') addClaim(usage, object);
  return usage;
}

const isFinished = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';

function addPod(usage: Map<string, bigint>, pod: Pod): void {
  if (isFinished(pod)) return;
  for (const [name, amount] of podRequests(pod.spec)) {
    usage.set(`requests.${name}`, amount);
    if (name === 'cpu' || name === 'memory' || name === 'ephemeral-storage') usage.set(name, amount);
  }
  for (const [name, amount] of podLimits(pod.spec)) usage.set(`limits.${name}`, amount);
}

function addService(usage: Map<string, bigint>, { spec }: Service): void {
  const ports = BigInt(spec?.ports?.length ?? 0);
  if (spec?.type === 'LoadBalancer') usage.set('services.loadbalancers', one);
  const hasPorts =
    spec?.type === 'NodePort' || (spec?.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);
  if (hasPorts) usage.set('services.nodeports', ports * one);
}

function addClaim(usage: Map<string, bigint>, object: KubeObject): void {
  const { spec } = object as KubeObject & {
    spec?: { storageClassName?: string; resources?: { requests?: Record<string, string> } };
  };
  const storage = spec?.resources?.requests?.['storage'];
  if (storage !== undefined) usage.set('requests.storage', quantityNanos(storage));
  if (!spec?.storageClassName) return;
  const prefix = `${spec.storageClassName}.storageclass.storage.k8s.io/`;
  usage.set(`${prefix}persistentvolumeclaims`, one);
  if (storage !== undefined) usage.set(`${prefix}requests.storage`, quantityNanos(storage));
}

/** Whether the quota looks at this object at all. */
export function isInScope(
  { scopes = [], scopeSelector }: ResourceQuotaSpec,
  kind: Counted,
  object: KubeObject,
): boolean {
  const terms = [
    ...scopes.map(scopeName => ({ scopeName, operator: 'Exists', values: [] as string[] })),
    ...(scopeSelector?.matchExpressions ?? []).map(term => ({ values: [] as string[], ...term })),
  ];
  if (terms.length === 0) return true;
  if (kind.group !== '' || kind.plural !== 'pods') return false;
  return terms.every(term => matchesScope(term, object as Pod));
}

interface Scope {
  readonly scopeName: string;
  readonly operator: string;
  readonly values: readonly string[];
}

function matchesScope({ scopeName, operator, values }: Scope, { spec }: Pod): boolean {
  switch (scopeName) {
    case 'Terminating':
      return spec.activeDeadlineSeconds !== undefined;
    case 'NotTerminating':
      return spec.activeDeadlineSeconds === undefined;
    case 'BestEffort':
      return qosClass(spec) === 'BestEffort';
    case 'NotBestEffort':
      return qosClass(spec) !== 'BestEffort';
    case 'PriorityClass': {
      const name = (spec as { priorityClassName?: string }).priorityClassName ?? '';
      if (operator === 'In') return values.includes(name);
      if (operator === 'NotIn') return !values.includes(name);
      return operator === 'Exists' ? name !== '' : name === '';
    }
    default:
      return false;
  }
}

/** Resources of the quota that a pod must name a request or limit for, and does not. */
export function unnamed({ hard = {} }: ResourceQuotaSpec, pod: Pod): Map<string, string[]> {
  const missing = new Map<string, string[]>();
  for (const resource of Object.keys(hard)) {
    const [, which, name] = /^(?:(requests|limits)\.)?(cpu|memory|ephemeral-storage)$/.exec(resource) ?? [];
    if (!name) continue;
    const lacks = pod.spec.containers
      .filter(
        ({ resources }) =>
          (which === 'limits' ? resources?.limits : { ...resources?.limits, ...resources?.requests })?.[name] ===
          undefined,
      )
      .map(container => container.name);
    if (lacks.length > 0) missing.set(resource, lacks);
  }
  return missing;
}

export type Fit =
  | { readonly fits: true; readonly used: Record<string, string> }
  | {
      readonly fits: false;
      readonly exceeded: readonly string[];
      readonly requested: string;
      readonly used: string;
      readonly limited: string;
    };

/** The quota's usage with `more` added, or what does not fit. Only what grows can be refused. */
export function fitQuota({ spec, status }: ResourceQuota, more: ReadonlyMap<string, bigint>): Fit {
  const hard = spec?.hard ?? {};
  const used: Record<string, string> = {};
  const exceeded: string[] = [];
  for (const [name, limit] of Object.entries(hard)) {
    const before = status?.used?.[name] ?? '0';
    const delta = more.get(name) ?? 0n;
    const total = quantityNanos(before) + delta;
    used[name] = delta === 0n ? before : quantityOf(total, limit);
    if (delta > 0n && total > quantityNanos(limit)) exceeded.push(name);
  }
  if (exceeded.length === 0) return { fits: true, used };
  const list = (value: (name: string) => string) =>
    exceeded
      .sort()
      .map(name => `${name}=${value(name)}`)
      .join(',');
  return {
    fits: false,
    exceeded,
    requested: list(name => quantityOf(more.get(name) ?? 0n, hard[name]!)),
    used: list(name => status?.used?.[name] ?? '0'),
    limited: list(name => hard[name]!),
  };
}

/** Whether any of the quota's limits is about what the object takes. */
export const concerns = ({ hard = {} }: ResourceQuotaSpec, usage: ReadonlyMap<string, bigint>): boolean =>
  Object.keys(hard).some(name => usage.has(name));
