/** What an answer about stored objects needs: the entry, the form that the client wants, and the writing of it. */
import { badRequest, notAcceptable, notFound } from './errors.js';
import { faceOf } from './face.js';
import { idOf, type Kind } from './kind.js';
import { type Wanted, wantedForm } from './negotiate.js';
import { type IncludeObject, partial, tableOf } from './present.js';
import type { ApiContext, ApiRequest, ResourceRoute } from './request.js';
import { sendJson } from './respond.js';
import { ViewEntry } from './view.js';

/** Throws StatusError 404. */
export function read(context: ApiContext, kind: Kind, { namespace, name }: ResourceRoute): ViewEntry {
  const { engine } = context;
  if (kind.live) {
    const found = kind.live(context, namespace).find(object => object.metadata.name === name);
    if (!found) throw notFound(kind, name ?? '');
    return new ViewEntry(name!, found, engine.view.revision);
  }
  const entry = engine.view.entry(idOf(engine.kinds.storedOf(kind)), namespace, name ?? '');
  if (!entry) throw notFound(kind, name ?? '');
  return faceOf(kind, entry);
}

/** Throws StatusError 406. */
export function wantedOf(call: ApiRequest): Wanted {
  const accept = call.request.headers.accept;
  const wanted = wantedForm(accept);
  // JSON also for clients that would rather have protobuf: they all read it
  if (!wanted && !accept?.includes('protobuf')) throw notAcceptable(['application/json']);
  return wanted ?? { form: 'object', version: 'v1' };
}

/** Throws StatusError 400. */
export function includeOf(query: URLSearchParams): IncludeObject {
  const text = query.get('includeObject') || 'Metadata';
  if (text !== 'None' && text !== 'Metadata' && text !== 'Object')
    throw badRequest(`invalid includeObject ${JSON.stringify(text)}: supported values: "None", "Metadata", "Object"`);
  return text;
}

export function sendEntry({ engine }: ApiContext, call: ApiRequest, kind: Kind, code: number, entry: ViewEntry): void {
  const wanted = wantedOf(call);
  if (wanted.form === 'object') {
    sendJson(call.response, code, entry.json);
    return;
  }
  if (wanted.form === 'partial') {
    sendJson(call.response, code, partial(entry.object, wanted));
    return;
  }
  const meta = { resourceVersion: entry.object.metadata.resourceVersion ?? '' };
  sendJson(call.response, code, tableOf(kind, [entry], meta, wanted, includeOf(call.query), engine.now()));
}
