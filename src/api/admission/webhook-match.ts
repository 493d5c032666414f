/** Which webhooks a request concerns. Pure. */
import type {
  MutatingWebhook,
  RuleWithOperations,
  ValidatingWebhook,
} from '../../kube/api/admissionregistration-v1.js';
import { selects } from '../../kube/label-selector.js';
import { celValue, compileRule } from '../custom/rules.js';
import type { AnyObject, Kind } from '../kind.js';

export type Webhook = MutatingWebhook & ValidatingWebhook;
export type Operation = 'CREATE' | 'UPDATE' | 'DELETE';

export interface Subject {
  readonly kind: Kind;
  readonly operation: Operation;
  readonly subresource?: string | undefined;
  /** Absent on DELETE. */
  readonly object?: AnyObject | undefined;
  /** Absent on CREATE. */
  readonly oldObject?: AnyObject | undefined;
  readonly namespaceLabels: Readonly<Record<string, string>> | undefined;
}

/** Conditions that fail to run count as the failure policy says: `broken`. */
export function concerns(webhook: Webhook, subject: Subject, request: object): boolean | 'broken' {
  const { rules = [], namespaceSelector, objectSelector, matchConditions = [] } = webhook;
  if (!rules.some(rule => matchesRule(rule, subject))) return false;
  if (namespaceSelector && subject.namespaceLabels && !selects(namespaceSelector, subject.namespaceLabels))
    return false;
  const candidates = [subject.object, subject.oldObject].filter(one => one !== undefined);
  if (objectSelector && !candidates.some(({ metadata }) => selects(objectSelector, metadata.labels ?? {})))
    return false;
  let isBroken = false;
  for (const { expression } of matchConditions) {
    const result = run(expression, subject, request);
    if (result === false) return false;
    if (result === 'broken') isBroken = true;
  }
  return isBroken ? 'broken' : true;
}

function matchesRule(
  { operations = [], apiGroups = [], apiVersions = [], resources = [], scope = '*' }: RuleWithOperations,
  subject: Subject,
): boolean {
  const { kind, operation, subresource } = subject;
  const listed = (list: readonly string[], value: string): boolean => list.includes('*') || list.includes(value);
  const isRightScope = scope === '*' || (scope === 'Namespaced') === kind.namespaced;
  return (
    isRightScope &&
    listed(operations, operation) &&
    listed(apiGroups, kind.group) &&
    listed(apiVersions, kind.version) &&
    resources.some(pattern => matchesResource(pattern, kind.plural, subresource))
  );
}

function matchesResource(pattern: string, plural: string, subresource: string | undefined): boolean {
  const [resource, part] = pattern.split('/');
  if (resource !== '*' && resource !== plural) return false;
  return part === '*' || part === subresource;
}

function run(expression: string, { object, oldObject }: Subject, request: object): boolean | 'broken' {
  const compiled = compileRule(expression);
  if (typeof compiled === 'string') return 'broken';
  try {
    const result = compiled({
      object: celValue(undefined, object ?? null),
      oldObject: celValue(undefined, oldObject ?? null),
      request: celValue(undefined, request),
    });
    return typeof result === 'boolean' ? result : 'broken';
  } catch {
    return 'broken';
  }
}
