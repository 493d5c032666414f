/** ResourceQuota and LimitRange. Pure; Kubernetes' words and paths. */
import type { LimitRange, LimitRangeItem, ResourceQuota } from '../../kube/api/core-v1.js';
import { deepEqual } from '../../kube/json.js';
import { qualifiedNameProblems } from '../../kube/names.js';
import { compareQuantities, quantityNanos } from '../../kube/quantity.js';
import { duplicate, type FieldError, forbiddenField, invalid, notSupported } from '../errors.js';
import { immutable } from '../field-checks.js';

const computeNames = ['cpu', 'memory', 'ephemeral-storage', 'storage'];
const countedNames = [
  'pods',
  'services',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
];
const standardNames: ReadonlySet<string> = new Set([
  ...computeNames,
  ...countedNames,
  ...['cpu', 'memory', 'ephemeral-storage', 'storage'].flatMap(name => [`requests.${name}`, `limits.${name}`]),
]);
const scopes = [
  'BestEffort',
  'CrossNamespacePodAffinity',
  'NotBestEffort',
  'NotTerminating',
  'PriorityClass',
  'Terminating',
  'VolumeAttributesClass',
];

export function validateQuota({ spec = {} }: ResourceQuota): FieldError[] {
  return [
    ...Object.entries(spec.hard ?? {}).flatMap(([name, value]) => validateHard(name, value, `spec.hard[${name}]`)),
    ...(spec.scopes ?? [])
      .filter(scope => !scopes.includes(scope))
      .map(scope => invalid('spec.scopes', spec.scopes, `unsupported scope ${JSON.stringify(scope)}`)),
    ...(spec.scopeSelector?.matchExpressions ?? []).flatMap(({ scopeName, operator }, i) => [
      ...(scopes.includes(scopeName)
        ? []
        : [
            invalid(
              `spec.scopeSelector.matchExpressions[${i}].scopeName`,
              scopeName,
              `unsupported scope ${JSON.stringify(scopeName)}`,
            ),
          ]),
      ...(['In', 'NotIn', 'Exists', 'DoesNotExist'].includes(operator)
        ? []
        : [invalid(`spec.scopeSelector.matchExpressions[${i}].operator`, operator, 'not a valid selector operator')]),
    ]),
  ];
}

function validateHard(name: string, value: string, path: string): FieldError[] {
  const whole = countedNames.includes(name) || name.startsWith('count/');
  return [
    ...(name.includes('/') || standardNames.has(name)
      ? qualifiedNameProblems(name).map(why => invalid(path, name, why))
      : [invalid(path, name, 'must be a standard resource for quotas')]),
    ...(compareQuantities(value, '0') < 0 ? [invalid(path, value, 'must be greater than or equal to 0')] : []),
    ...(whole && quantityNanos(value) % 1_000_000_000n !== 0n ? [invalid(path, value, 'must be an integer')] : []),
  ];
}

export function validateQuotaUpdate(next: ResourceQuota, old: ResourceQuota): FieldError[] {
  return deepEqual(next.spec?.scopes ?? [], old.spec?.scopes ?? [])
    ? []
    : immutable('spec.scopes', next.spec?.scopes ?? [], old.spec?.scopes ?? []);
}

const limitTypes = ['Container', 'PersistentVolumeClaim', 'Pod'];

export function validateLimitRange({ spec = {} }: LimitRange): FieldError[] {
  const types = (spec.limits ?? []).map(({ type }) => type);
  return (spec.limits ?? []).flatMap((item, i) => {
    const path = `spec.limits[${i}]`;
    const { type } = item;
    return [
      ...(limitTypes.includes(type) || type?.includes('/') ? [] : [notSupported(`${path}.type`, type, limitTypes)]),
      ...(types.indexOf(type) < i ? [duplicate(`${path}.type`, type)] : []),
      ...(type === 'Pod'
        ? (['default', 'defaultRequest'] as const)
            .filter(field => Object.keys(item[field] ?? {}).length > 0)
            .map(field => forbiddenField(`${path}.${field}`, "may not be specified when `type` is 'Pod'"))
        : []),
      ...validateBounds(item, path),
    ];
  });
}

type Bound = 'min' | 'max' | 'default' | 'defaultRequest';
/** Lower, higher, how Kubernetes calls them, and whose field is to blame. */
const orders: readonly [Bound, Bound, string, string, Bound][] = [
  ['min', 'max', 'min', 'max', 'min'],
  ['min', 'defaultRequest', 'min', 'default request', 'defaultRequest'],
  ['defaultRequest', 'max', 'default request', 'max', 'defaultRequest'],
  ['defaultRequest', 'default', 'default request', 'default limit', 'defaultRequest'],
  ['min', 'default', 'min', 'default', 'default'],
  ['default', 'max', 'default', 'max', 'default'],
];

function validateBounds(item: LimitRangeItem, path: string): FieldError[] {
  const names = new Set(
    ['min', 'max', 'default', 'defaultRequest'].flatMap(field => Object.keys(item[field as Bound] ?? {})),
  );
  const wrong = [...names].flatMap(name =>
    orders.flatMap(([low, high, lowName, highName, blamed]) => {
      const [a, b] = [item[low]?.[name], item[high]?.[name]];
      if (a === undefined || b === undefined || compareQuantities(a, b) <= 0) return [];
      const value = item[blamed]?.[name];
      return [
        invalid(`${path}.${blamed}[${name}]`, value, `${lowName} value ${a} is greater than ${highName} value ${b}`),
      ];
    }),
  );
  const ratios = Object.entries(item.maxLimitRequestRatio ?? {}).flatMap(([name, ratio]) =>
    compareQuantities(ratio, '1') < 0
      ? [invalid(`${path}.maxLimitRequestRatio[${name}]`, ratio, `ratio ${ratio} is less than 1`)]
      : [],
  );
  return [...wrong, ...ratios];
}
