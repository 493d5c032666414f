/** LimitRange: fills in what containers leave out, then holds pods, containers and claims to the bounds. */
import type { LimitRange, LimitRangeItem, PersistentVolumeClaim } from '../../kube/api/core-v1.js';
import type { Container, Pod } from '../../kube/pod.js';
import { type Amounts, amountsOf, podLimits, podRequests } from '../../kube/pod-resources.js';
import { quantityNanos, quantityOf } from '../../kube/quantity.js';
import type { Compare, Engine } from '../engine.js';
import { forbidden } from '../errors.js';
import type { AnyObject, Kind } from '../kind.js';

/** In place. Throws StatusError 403. */
export function admitLimits({ view }: Engine, kind: Kind, object: AnyObject): readonly Compare[] {
  const isPod = kind.group === '' && kind.kind === 'Pod';
  if (!isPod && !(kind.group === '' && kind.kind === 'PersistentVolumeClaim')) return [];
  const ranges = view.list('LimitRange', object.metadata.namespace) as unknown as LimitRange[];
  const items = ranges.flatMap(({ spec }) => spec?.limits ?? []);
  if (items.length === 0) return [];
  const problems = isPod
    ? podProblems(object as unknown as Pod, items)
    : claimProblems(object as unknown as PersistentVolumeClaim, items);
  if (problems.length > 0)
    throw forbidden(kind, object.metadata.name, problems.length === 1 ? problems[0]! : `[${problems.join(', ')}]`);
  return [];
}

function podProblems({ spec }: Pod, items: readonly LimitRangeItem[]): string[] {
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  for (const item of items) if (item.type === 'Container') for (const container of containers) fillIn(container, item);
  return items.flatMap(item => {
    if (item.type === 'Container')
      return containers.flatMap(one => problems(item, amountsOf(one, 'requests'), amountsOf(one, 'limits')));
    return item.type === 'Pod' ? problems(item, podRequests(spec), podLimits(spec)) : [];
  });
}

function fillIn(container: Container, { default: limits = {}, defaultRequest = {} }: LimitRangeItem): void {
  const given = container.resources ?? {};
  const all = {
    limits: { ...limits, ...given.limits },
    requests: { ...defaultRequest, ...given.limits, ...given.requests },
  };
  container.resources = {
    ...given,
    ...(Object.keys(all.limits).length > 0 && { limits: all.limits }),
    ...(Object.keys(all.requests).length > 0 && { requests: all.requests }),
  };
}

function problems(item: LimitRangeItem, requests: Amounts, limits: Amounts): string[] {
  const { type = '', min = {}, max = {}, maxLimitRequestRatio: ratios = {} } = item;
  const found: string[] = [];
  for (const [name, bound] of Object.entries(max)) {
    const limit = limits.get(name);
    if (limit === undefined) found.push(`maximum ${name} usage per ${type} is ${bound}.  No limit is specified`);
    else if (limit > quantityNanos(bound))
      found.push(`maximum ${name} usage per ${type} is ${bound}, but limit is ${quantityOf(limit, bound)}`);
  }
  for (const [name, bound] of Object.entries(min)) {
    const asked = requests.get(name);
    if (asked === undefined) found.push(`minimum ${name} usage per ${type} is ${bound}.  No request is specified`);
    else if (asked < quantityNanos(bound))
      found.push(`minimum ${name} usage per ${type} is ${bound}, but request is ${quantityOf(asked, bound)}`);
  }
  for (const [name, ratio] of Object.entries(ratios)) {
    const [limit, asked] = [limits.get(name), requests.get(name)];
    if (!limit || !asked)
      found.push(`${name} max limit to request ratio per ${type} is ${ratio}, but no request or limit is specified`);
    else if (limit * 1_000_000_000n > asked * quantityNanos(ratio))
      found.push(
        `${name} max limit to request ratio per ${type} is ${ratio}, but provided ratio is ${(Number(limit) / Number(asked)).toFixed(6)}`,
      );
  }
  return found;
}

function claimProblems({ spec }: PersistentVolumeClaim, items: readonly LimitRangeItem[]): string[] {
  const requests: Amounts = new Map(
    Object.entries(spec?.resources?.requests ?? {}).map(([name, text]) => [name, quantityNanos(text)]),
  );
  // a claim has requests only: its bounds are about those
  return items
    .filter(({ type }) => type === 'PersistentVolumeClaim')
    .flatMap(item => problems(item, requests, requests));
}
