/** What a request wants to do, in the terms that authorisation speaks: a verb on a resource, or on a path. Pure. */
import { type FieldRequirement, parseFieldSelector, SelectorError } from '../../kube/selector.js';
import type { Route } from '../route.js';

export interface ResourceAttributes {
  /** `get`, `list`, `create`, … */
  readonly verb: string;
  readonly group: string;
  /** `pods`, or with its subresource `pods/exec`. */
  readonly resource: string;
  /** Absent: at the cluster scope, or in all namespaces. */
  readonly namespace?: string;
  /** Absent: no object in particular. */
  readonly name?: string;
  /** Of a list or watch, as far as it could be read. */
  readonly fields?: readonly FieldRequirement[];
}

export interface PathAttributes {
  /** The HTTP method in lower case. */
  readonly verb: string;
  readonly path: string;
}

export type Attributes = ResourceAttributes | PathAttributes;

export const isPath = (attributes: Attributes): attributes is PathAttributes => 'path' in attributes;

export function attributesOf(verb: string, route: Route, path: string, query: URLSearchParams): Attributes {
  if (route.to !== 'resource') return { verb, path };
  const { group, plural, subresource } = route;
  const fields = route.name === undefined ? fieldsOf(query) : undefined;
  const name = route.name ?? fields?.find(field => field.path === 'metadata.name' && !field.negated)?.value;
  // a namespace lives in itself: a Role there can speak of it
  const namespace = route.namespace ?? (group === '' && plural === 'namespaces' ? name : undefined);
  return {
    verb,
    group,
    resource: subresource === undefined ? plural : `${plural}/${subresource}`,
    ...(namespace !== undefined && { namespace }),
    ...(name !== undefined && { name }),
    ...(fields && { fields }),
  };
}

/** A selector that cannot be read grants nothing; the handler says what is wrong with it. */
function fieldsOf(query: URLSearchParams): readonly FieldRequirement[] | undefined {
  const text = query.get('fieldSelector');
  if (!text) return undefined;
  try {
    return parseFieldSelector(text);
  } catch (error) {
    if (error instanceof SelectorError) return undefined;
    throw error;
  }
}

/** `User "x" cannot get resource "pods" in API group "" in the namespace "default"`, as Kubernetes words it. */
export function refusal(user: string, attributes: Attributes): string {
  const { verb } = attributes;
  if (isPath(attributes)) return `User ${JSON.stringify(user)} cannot ${verb} path ${JSON.stringify(attributes.path)}`;
  const { group, resource, namespace } = attributes;
  const where = namespace !== undefined ? `in the namespace ${JSON.stringify(namespace)}` : 'at the cluster scope';
  return `User ${JSON.stringify(user)} cannot ${verb} resource ${JSON.stringify(resource)} in API group ${JSON.stringify(group)} ${where}`;
}
