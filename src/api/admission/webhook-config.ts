/** What is wrong with a webhook configuration, and its defaults. Pure. */
import { subdomainProblems } from '../../kube/names.js';
import { compileRule } from '../custom/rules.js';
import { duplicate, type FieldError, invalid, notSupported, required } from '../errors.js';
import type { AnyObject } from '../kind.js';
import type { Webhook } from './webhook-match.js';

const webhooksOf = (object: AnyObject): Webhook[] => (object.webhooks as Webhook[] | undefined) ?? [];

/** In place. */
export function defaultWebhooks(object: AnyObject, isMutating: boolean): void {
  for (const webhook of webhooksOf(object)) {
    webhook.failurePolicy ??= 'Fail';
    webhook.matchPolicy ??= 'Equivalent';
    webhook.namespaceSelector ??= {};
    webhook.objectSelector ??= {};
    webhook.timeoutSeconds ??= 10;
    if (isMutating) webhook.reinvocationPolicy ??= 'Never';
    for (const rule of webhook.rules ?? []) rule.scope ??= '*';
    if (webhook.clientConfig?.service) webhook.clientConfig.service.port ??= 443;
  }
}

export function webhookErrors(object: AnyObject): FieldError[] {
  const seen = new Set<string>();
  return webhooksOf(object).flatMap((webhook, i) => {
    const path = `webhooks[${i}]`;
    const repeated = seen.has(webhook.name);
    seen.add(webhook.name);
    return [
      ...(repeated ? [duplicate(`${path}.name`, webhook.name)] : []),
      ...nameErrors(webhook.name, `${path}.name`),
      ...clientErrors(webhook, `${path}.clientConfig`),
      ...choiceErrors(webhook, path),
      ...ruleErrors(webhook, path),
      ...conditionErrors(webhook, path),
    ];
  });
}

function nameErrors(name: string | undefined, path: string): FieldError[] {
  if (!name) return [required(path)];
  const problems = subdomainProblems(name);
  if (problems.length > 0) return problems.map(why => invalid(path, name, why));
  return name.split('.').length < 3
    ? [invalid(path, name, 'should be a domain with at least three segments separated by dots')]
    : [];
}

function clientErrors({ clientConfig }: Webhook, path: string): FieldError[] {
  const { url, service, caBundle } = clientConfig ?? {};
  if ((url === undefined) === (service === undefined))
    return [required(path, 'exactly one of url or service is required')];
  const errors: FieldError[] = [];
  if (url !== undefined && !(URL.canParse(url) && new URL(url).protocol === 'https:'))
    errors.push(
      invalid(`${path}.url`, url, "'https' is the only allowed URL scheme; desired format: https://host[/path]"),
    );
  if (service && !service.name) errors.push(required(`${path}.service.name`, 'service name is required'));
  if (service && !service.namespace)
    errors.push(required(`${path}.service.namespace`, 'service namespace is required'));
  if (caBundle && !Buffer.from(caBundle, 'base64').toString('latin1').includes('-----BEGIN CERTIFICATE-----'))
    errors.push(invalid(`${path}.caBundle`, '...', 'unable to load root certificates: no PEM certificate in it'));
  return errors;
}

function choiceErrors(webhook: Webhook, path: string): FieldError[] {
  const {
    failurePolicy,
    matchPolicy,
    sideEffects,
    timeoutSeconds = 10,
    admissionReviewVersions = [],
    reinvocationPolicy,
  } = webhook;
  const choice = (field: string, value: string | undefined, allowed: readonly string[]): FieldError[] =>
    value === undefined || allowed.includes(value) ? [] : [notSupported(`${path}.${field}`, value, allowed)];
  return [
    ...choice('failurePolicy', failurePolicy, ['Fail', 'Ignore']),
    ...choice('matchPolicy', matchPolicy, ['Equivalent', 'Exact']),
    ...choice('reinvocationPolicy', reinvocationPolicy, ['IfNeeded', 'Never']),
    ...(sideEffects
      ? choice('sideEffects', sideEffects, ['None', 'NoneOnDryRun'])
      : [required(`${path}.sideEffects`, 'must specify one of None, NoneOnDryRun')]),
    ...(timeoutSeconds < 1 || timeoutSeconds > 30
      ? [invalid(`${path}.timeoutSeconds`, timeoutSeconds, 'the timeout value must be between 1 and 30 seconds')]
      : []),
    ...(admissionReviewVersions.length === 0
      ? [required(`${path}.admissionReviewVersions`, 'must specify one of v1')]
      : admissionReviewVersions.includes('v1')
        ? []
        : [invalid(`${path}.admissionReviewVersions`, admissionReviewVersions, 'must include at least one of v1')]),
  ];
}

const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];

function ruleErrors({ rules = [] }: Webhook, path: string): FieldError[] {
  return rules.flatMap((rule, i) => {
    const here = `${path}.rules[${i}]`;
    const lists = ['apiGroups', 'apiVersions', 'operations', 'resources'] as const;
    return [
      ...lists.filter(name => !rule[name]?.length).map(name => required(`${here}.${name}`)),
      ...(rule.operations ?? [])
        .filter(operation => !operations.includes(operation))
        .map(operation => notSupported(`${here}.operations`, operation, operations)),
    ];
  });
}

function conditionErrors({ matchConditions = [] }: Webhook, path: string): FieldError[] {
  return matchConditions.flatMap(({ expression }, i) => {
    const broken = compileRule(expression ?? '');
    return typeof broken === 'string'
      ? [invalid(`${path}.matchConditions[${i}].expression`, expression, `compilation failed: ${broken}`)]
      : [];
  });
}
