/** List: which entries, at which revision, and how to go on (kubernetes-wire §7). */
import { failure } from '../../kube/status.js';
import { badRequest, expired, futureRevision } from '../errors.js';
import { type AnyObject, idOf, type Kind } from '../kind.js';
import { type Selection, selectionOf } from '../select.js';
import { type View, ViewEntry } from '../view.js';

export interface Page {
  readonly entries: readonly ViewEntry[];
  readonly revision: number;
  readonly continue?: string;
  readonly remaining?: number;
}

interface Token {
  readonly revision: number;
  readonly after: string;
}

/** Throws StatusError. */
export function listPage(view: View, kind: Kind, namespace: string | undefined, query: URLSearchParams): Page {
  const selection = selectionOf(kind, query);
  const limit = limitOf(query);
  const token = query.get('continue') ? readToken(query.get('continue')!) : undefined;
  const revision = token?.revision ?? revisionOf(view, query, limit > 0) ?? view.revision;
  if (token && token.revision < view.oldest)
    throw expired(
      'The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.',
    );
  const all =
    revision === view.revision
      ? view.entries(idOf(kind), namespace, token?.after)
      : after(view.entriesAt(idOf(kind), revision, namespace), token?.after);
  return cut(select(view, kind, namespace, selection, all, revision), limit, revision, selection);
}

/** Objects that are in no cache, selected but never cut. Throws StatusError 400. */
export function livePage(view: View, kind: Kind, objects: readonly AnyObject[], query: URLSearchParams): Page {
  const selection = selectionOf(kind, query);
  const entries = objects
    .filter(selection.matches)
    .map(object => new ViewEntry(object.metadata.name, object, view.revision));
  return { entries, revision: view.revision };
}

function limitOf(query: URLSearchParams): number {
  const text = query.get('limit');
  if (!text) return 0;
  if (!/^\d{1,9}$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

/** The revision that must be shown exactly, if one must. */
function revisionOf(view: View, query: URLSearchParams, limited: boolean): number | undefined {
  const text = query.get('resourceVersion') ?? '';
  const match = query.get('resourceVersionMatch');
  if (match !== null && match !== 'Exact' && match !== 'NotOlderThan')
    throw invalidMatch(`Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan", ""`);
  if (match && !text)
    throw invalidMatch('Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided');
  if (match === 'Exact' && text === '0')
    throw invalidMatch('Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
  if (!text || text === '0') return undefined;
  const asked = parseRevision(text);
  if (asked > view.revision) throw futureRevision(asked, view.revision);
  const exact = match === 'Exact' || (limited && match === null);
  if (!exact) return undefined;
  if (asked < view.oldest) throw expired(`The resourceVersion for the provided list is too old.`);
  return asked;
}

function invalidMatch(why: string) {
  return failure(422, 'Invalid', `ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: ${why}`, {
    group: 'meta.k8s.io',
    kind: 'ListOptions',
    causes: [{ field: 'resourceVersionMatch', message: why }],
  });
}

/** Throws StatusError 400. */
export function parseRevision(text: string): number {
  if (!/^\d{1,15}$/.test(text))
    throw badRequest(
      `Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  return Number(text);
}

function after(entries: readonly ViewEntry[], key: string | undefined): readonly ViewEntry[] {
  return key ? entries.filter(entry => entry.key > key) : entries;
}

function select(
  view: View,
  kind: Kind,
  namespace: string | undefined,
  selection: Selection,
  all: Iterable<ViewEntry>,
  revision: number,
): Iterable<ViewEntry> {
  if (selection.isEverything) return all;
  // one named object, now: no need to walk through all
  if (selection.name && revision === view.revision && (namespace !== undefined || !kind.namespaced)) {
    const entry = view.entry(idOf(kind), namespace, selection.name);
    return entry && selection.matches(entry.object) ? [entry] : [];
  }
  return filter(all, selection);
}

function* filter(all: Iterable<ViewEntry>, selection: Selection): Generator<ViewEntry> {
  for (const entry of all) if (selection.matches(entry.object)) yield entry;
}

function cut(found: Iterable<ViewEntry>, limit: number, revision: number, selection: Selection): Page {
  const entries: ViewEntry[] = [];
  let rest = 0;
  for (const entry of found) {
    if (limit === 0 || entries.length < limit) entries.push(entry);
    else {
      rest++;
      if (!selection.isEverything) break;
    }
  }
  if (rest === 0) return { entries, revision };
  const next = writeToken({ revision, after: entries.at(-1)!.key });
  return { entries, revision, continue: next, ...(selection.isEverything && { remaining: rest }) };
}

const writeToken = (token: Token): string =>
  Buffer.from(JSON.stringify({ v: 'keelson/v1', rv: token.revision, after: token.after })).toString('base64url');

function readToken(text: string): Token {
  try {
    const {
      v,
      rv,
      after: key,
    } = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as Record<string, unknown>;
    if (v === 'keelson/v1' && Number.isSafeInteger(rv) && typeof key === 'string')
      return { revision: rv as number, after: key };
  } catch {
    // falls through to the one answer
  }
  throw badRequest('continue key is not valid');
}
