/**
 * Watch: a stream of changes from a revision on (kubernetes-wire §7). What to send is decided here and given to a sink;
 * the HTTP side only writes bytes. An object that begins to match a selector is ADDED, one that ceases is DELETED.
 */
import { clone } from '../../kube/json.js';
import { failure } from '../../kube/status.js';
import { expired, futureRevision } from '../errors.js';
import { faceOf } from '../face.js';
import { type AnyObject, apiVersionOf, idOf, type Kind } from '../kind.js';
import type { Wanted } from '../negotiate.js';
import { type IncludeObject, partial, tableOf } from '../present.js';
import { type Selection, selectionOf } from '../select.js';
import { type EntryChange, type View, ViewEntry } from '../view.js';
import { parseRevision } from './list.js';

export interface WatchRequest {
  readonly kind: Kind;
  /** The kind whose objects these are: another one for a face. */
  readonly stored: Kind;
  readonly namespace?: string | undefined;
  readonly query: URLSearchParams;
  readonly wanted: Wanted;
  readonly include: IncludeObject;
  readonly now: () => number;
  /** The kind is no longer served. */
  readonly onEnd: () => void;
}

type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** Begins a watch. Throws StatusError before anything is sent; closes by the returned function. */
export function startWatch(view: View, request: WatchRequest, send: (line: Buffer) => void): { close(): void } {
  const { kind, stored, namespace, query } = request;
  const selection = selectionOf(stored, query);
  const plain = writer(request, send);
  const write: Write = kind.conversion ? (type, entry) => plain(type, faceOf(kind, entry)) : plain;
  const id = idOf(stored);
  const { since, initial, marker } = startOf(view, query);
  const inScope = (key: string): boolean => namespace === undefined || key.startsWith(`${namespace}/`);
  const relay = (change: EntryChange): void => {
    if (inScope(change.entry.key)) relayChange(change, selection, write);
  };
  if (initial)
    for (const entry of view.entries(id, namespace)) if (selection.matches(entry.object)) write('ADDED', entry);
  if (since !== undefined) for (const change of view.changesSince(since)) if (change.kind === id) relay(change);
  if (marker) send(bookmark(request, view.revision, true));
  const subscription = view.subscribeKind(id, relay, request.onEnd);
  const bookmarks =
    query.get('allowWatchBookmarks') === 'true'
      ? setInterval(() => send(bookmark(request, view.revision, false)), bookmarkMs)
      : undefined;
  return {
    close: () => {
      subscription.close();
      clearInterval(bookmarks);
    },
  };
}

const bookmarkMs = 60_000;

interface Start {
  /** Replay the changes after this revision. */
  readonly since?: number;
  /** First everything that is there. */
  readonly initial: boolean;
  /** Then say that this was all. */
  readonly marker: boolean;
}

function startOf(view: View, query: URLSearchParams): Start {
  const text = query.get('resourceVersion') ?? '';
  const asked = text && text !== '0' ? parseRevision(text) : undefined;
  if (asked !== undefined && asked > view.revision) throw futureRevision(asked, view.revision);
  const initialEvents = query.get('sendInitialEvents');
  if (initialEvents === 'true') {
    if (query.get('resourceVersionMatch') !== 'NotOlderThan')
      throw invalidInitialEvents(
        'resourceVersionMatch',
        'Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
      );
    return { initial: true, marker: query.get('allowWatchBookmarks') === 'true' };
  }
  if (query.get('resourceVersionMatch'))
    throw invalidInitialEvents(
      'resourceVersionMatch',
      'Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
    );
  if (asked === undefined) return { initial: initialEvents !== 'false', marker: false };
  if (asked < view.oldest) throw expired(`too old resource version: ${asked} (${view.oldest})`);
  return { since: asked, initial: false, marker: false };
}

function invalidInitialEvents(field: string, message: string) {
  return failure(422, 'Invalid', `ListOptions.meta.k8s.io "" is invalid: ${field}: ${message}`, {
    group: 'meta.k8s.io',
    kind: 'ListOptions',
    causes: [{ field, message }],
  });
}

type Write = (type: EventType, entry: ViewEntry) => void;

function relayChange(change: EntryChange, selection: Selection, write: Write): void {
  if (selection.isEverything) {
    write(change.type, change.entry);
    return;
  }
  const before = change.type !== 'ADDED' && change.before !== undefined && selection.matches(change.before.object);
  const after = change.type !== 'DELETED' && selection.matches(change.object);
  if (before && after) write('MODIFIED', change.entry);
  else if (after) write('ADDED', change.entry);
  else if (before) write('DELETED', change.type === 'DELETED' ? change.entry : leaving(change));
}

/** For an object that left the selection: its last matching state, with the revision of the change. */
function leaving({ before, revision }: EntryChange): ViewEntry {
  const object = clone(before!.object);
  object.metadata.resourceVersion = String(revision);
  return new ViewEntry(before!.key, object, revision);
}

/** One line per event and form, shared by all watchers of that event. */
const lines = new WeakMap<ViewEntry, Map<EventType, Buffer>>();

function objectLine(type: EventType, entry: ViewEntry): Buffer {
  let made = lines.get(entry);
  if (!made) {
    made = new Map();
    lines.set(entry, made);
  }
  let line = made.get(type);
  if (!line) {
    line = Buffer.concat([Buffer.from(`{"type":"${type}","object":`), entry.json, end]);
    made.set(type, line);
  }
  return line;
}

const end = Buffer.from('}\n');

function writer({ kind, wanted, include, now }: WatchRequest, send: (line: Buffer) => void): Write {
  if (wanted.form === 'object') return (type, entry) => send(objectLine(type, entry));
  if (wanted.form === 'partial') return (type, entry) => send(jsonLine(type, partial(entry.object, wanted)));
  let first = true;
  return (type, entry) => {
    const meta = { resourceVersion: entry.object.metadata.resourceVersion ?? '' };
    send(jsonLine(type, tableOf(kind, [entry], meta, wanted, include, now(), first)));
    first = false;
  };
}

const jsonLine = (type: string, object: object): Buffer => Buffer.from(`${JSON.stringify({ type, object })}\n`);

function bookmark({ kind, wanted }: WatchRequest, revision: number, initialEnd: boolean): Buffer {
  const metadata = {
    resourceVersion: String(revision),
    creationTimestamp: null,
    ...(initialEnd && { annotations: { 'k8s.io/initial-events-end': 'true' } }),
  };
  const object = { kind: kind.kind, apiVersion: apiVersionOf(kind), metadata } as unknown as AnyObject;
  return jsonLine(
    'BOOKMARK',
    wanted.form === 'object'
      ? object
      : wanted.form === 'partial'
        ? partial(object, wanted)
        : tableOf({ ...kind, columns: [] }, [], { resourceVersion: String(revision) }, wanted, 'None', 0, false),
  );
}
