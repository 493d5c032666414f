/** May this user, or I, do that? The four reviews of authorization.k8s.io, all answered by the one authoriser. */
import type { ResourceAttributes as AskedResource, SubjectAccessReviewSpec } from '../../kube/api/authorization-v1.js';
import type { PolicyRule } from '../../kube/api/rbac-v1.js';
import type { FieldRequirement } from '../../kube/selector.js';
import { admins, type Identity } from '../authorize.js';
import { badRequest, type FieldError, invalid, invalidObject } from '../errors.js';
import type { AnyObject, ReviewCall } from '../kind.js';
import type { ApiContext } from '../request.js';
import type { Attributes } from './attributes.js';

const group = 'authorization.k8s.io';
const apiVersion = `${group}/v1`;

/** Throws StatusError 422. */
export function reviewAccess(object: AnyObject, { context }: ReviewCall): AnyObject {
  const spec = specOf(object);
  check('SubjectAccessReview', [...attributeErrors(spec), ...subjectErrors(spec)]);
  return answer(context, 'SubjectAccessReview', object, subjectOf(spec), attributesIn(spec));
}

/** Only about its own namespace. Throws StatusError 400, 422. */
export function reviewLocalAccess(object: AnyObject, { context, call: { route } }: ReviewCall): AnyObject {
  const spec = specOf(object);
  const kind = 'LocalSubjectAccessReview';
  check(kind, [...attributeErrors(spec), ...subjectErrors(spec), ...localErrors(spec)]);
  const namespace = route.to === 'resource' ? route.namespace : undefined;
  if (spec.resourceAttributes?.namespace !== namespace)
    throw badRequest(
      `spec.resourceAttributes.namespace must match namespace: ${JSON.stringify(spec.resourceAttributes?.namespace ?? '')} does not match ${JSON.stringify(namespace ?? '')}`,
    );
  return answer(context, kind, object, subjectOf(spec), attributesIn(spec));
}

/** Throws StatusError 422. */
export function reviewOwnAccess(object: AnyObject, { context, call: { identity } }: ReviewCall): AnyObject {
  const spec = specOf(object);
  check('SelfSubjectAccessReview', attributeErrors(spec));
  return answer(context, 'SelfSubjectAccessReview', object, identity, attributesIn(spec));
}

/** Everything that one may do in a namespace, as far as Roles tell. */
export function reviewOwnRules(object: AnyObject, { context: { auth }, call: { identity } }: ReviewCall): AnyObject {
  const { namespace = '' } = (object.spec ?? {}) as { namespace?: string };
  if (namespace === '') throw badRequest('no namespace on request');
  const { rules, missing } = identity.groups.includes(admins)
    ? { rules: everything, missing: [] }
    : auth.authorizer.rbac.rulesFor(identity, namespace);
  const status = {
    resourceRules: rules.filter(rule => rule.resources?.length).map(resourceRule),
    nonResourceRules: rules
      .filter(rule => rule.nonResourceURLs?.length)
      .map(({ verbs = [], nonResourceURLs = [] }) => ({ verbs, nonResourceURLs })),
    incomplete: missing.length > 0,
    ...(missing.length > 0 && { evaluationError: missing.join(', ') }),
  };
  return {
    apiVersion,
    kind: 'SelfSubjectRulesReview',
    metadata: object.metadata ?? {},
    spec: {},
    status,
  } as unknown as AnyObject;
}

const everything: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

function resourceRule({ verbs = [], apiGroups = [], resources = [], resourceNames = [] }: PolicyRule): object {
  return { verbs, apiGroups, resources, ...(resourceNames.length > 0 && { resourceNames }) };
}

const specOf = (object: AnyObject): SubjectAccessReviewSpec => (object.spec ?? {}) as SubjectAccessReviewSpec;

function answer({ auth }: ApiContext, kind: string, object: AnyObject, who: Identity, what: Attributes): AnyObject {
  const { allowed, reason } = auth.authorizer.decide(who, what);
  const status = { allowed, ...(reason && { reason }) };
  return { apiVersion, kind, metadata: object.metadata ?? {}, spec: object.spec, status } as unknown as AnyObject;
}

function check(kind: string, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalidObject({ group, plural: '', kind }, '', errors);
}

function attributeErrors({ resourceAttributes, nonResourceAttributes }: SubjectAccessReviewSpec): FieldError[] {
  if (resourceAttributes && nonResourceAttributes)
    return [
      invalid(
        'spec.nonResourceAttributes',
        nonResourceAttributes,
        'cannot be specified in combination with resourceAttributes',
      ),
    ];
  if (!resourceAttributes && !nonResourceAttributes)
    return [
      invalid(
        'spec.resourceAttributes',
        null,
        'exactly one of nonResourceAttributes or resourceAttributes must be specified',
      ),
    ];
  return [];
}

function subjectErrors({ user = '', groups = [] }: SubjectAccessReviewSpec): FieldError[] {
  return user === '' && groups.length === 0
    ? [invalid('spec.user', user, 'at least one of user or group must be specified')]
    : [];
}

function localErrors({ nonResourceAttributes }: SubjectAccessReviewSpec): FieldError[] {
  return nonResourceAttributes
    ? [invalid('spec.nonResourceAttributes', nonResourceAttributes, 'disallowed on this kind of request')]
    : [];
}

function subjectOf({ user = '', groups = [], uid, extra }: SubjectAccessReviewSpec): Identity {
  return { name: user, groups, ...(uid !== undefined && { uid }), ...(extra && { extra }) };
}

function attributesIn({ resourceAttributes, nonResourceAttributes }: SubjectAccessReviewSpec): Attributes {
  if (!resourceAttributes) return { verb: nonResourceAttributes?.verb ?? '', path: nonResourceAttributes?.path ?? '' };
  const { verb = '', resource = '', subresource, namespace, name } = resourceAttributes;
  const fields = fieldsOf(resourceAttributes);
  return {
    verb,
    group: resourceAttributes.group ?? '',
    resource: subresource ? `${resource}/${subresource}` : resource,
    ...(namespace && { namespace }),
    ...(name && { name }),
    ...(fields && { fields }),
  };
}

function fieldsOf({ fieldSelector }: AskedResource): FieldRequirement[] | undefined {
  return fieldSelector?.requirements?.flatMap(({ key, operator, values = [] }) =>
    operator === 'In' && values.length === 1 ? [{ path: key, negated: false, value: values[0]! }] : [],
  );
}
