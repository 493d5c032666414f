/** List and watch selectors of one request: query → a predicate over entries. Pure. */
import {
  type FieldRequirement,
  type LabelRequirement,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
  SelectorError,
} from '../kube/selector.js';
import { badRequest } from './errors.js';
import { type AnyObject, apiVersionOf, type Kind } from './kind.js';

export interface Selection {
  readonly matches: (object: AnyObject) => boolean;
  readonly isEverything: boolean;
  /** The one name that a field selector names, if it does: no need to look at others. */
  readonly name?: string;
}

/** Throws StatusError 400. */
export function selectionOf(kind: Kind, query: URLSearchParams): Selection {
  const { labels, fields } = parse(query);
  const readers = fields.map(requirement => ({ ...requirement, read: readerOf(kind, requirement) }));
  const name = fields.find(({ path, negated }) => path === 'metadata.name' && !negated)?.value;
  return {
    matches: object =>
      matchesLabels(labels, object.metadata.labels) &&
      readers.every(({ read, value, negated }) => (read(object) === value) !== negated),
    isEverything: labels.length + fields.length === 0,
    ...(name && { name }),
  };
}

function parse(query: URLSearchParams): { labels: LabelRequirement[]; fields: FieldRequirement[] } {
  try {
    return {
      labels: parseLabelSelector(query.get('labelSelector') ?? ''),
      fields: parseFieldSelector(query.get('fieldSelector') ?? ''),
    };
  } catch (error) {
    if (error instanceof SelectorError) throw badRequest(error.message);
    throw error;
  }
}

function readerOf(kind: Kind, { path }: FieldRequirement): (object: AnyObject) => string {
  if (path === 'metadata.name') return object => object.metadata.name;
  if (path === 'metadata.namespace') return object => object.metadata.namespace ?? '';
  const own = kind.fieldLabels && Object.hasOwn(kind.fieldLabels, path) ? kind.fieldLabels[path] : undefined;
  if (own) return own;
  throw badRequest(
    `Unable to find ${JSON.stringify(kind.plural)} that match label selector "", field selector "${path}": ${apiVersionOf(kind)}, Kind=${kind.kind}: field label not supported: ${path}`,
  );
}
