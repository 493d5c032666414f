/** Objects of one kind shown as another: versions of a kind, and events.k8s.io over core Events. See `Conversion`. */
import { deepFreeze } from '../kube/json.js';
import { apiVersionOf, type Kind } from './kind.js';
import { ViewEntry } from './view.js';

const faces = new WeakMap<ViewEntry, Map<Kind, ViewEntry>>();

/** The entry as `kind` shows it; made once, so that all watchers share its JSON. */
export function faceOf(kind: Kind, entry: ViewEntry): ViewEntry {
  const { conversion } = kind;
  if (!conversion || entry.object.apiVersion === apiVersionOf(kind)) return entry;
  let made = faces.get(entry);
  if (!made) {
    made = new Map();
    faces.set(entry, made);
  }
  let face = made.get(kind);
  if (!face) {
    face = new ViewEntry(entry.key, deepFreeze(conversion.fromStored(entry.object)), entry.revision);
    made.set(kind, face);
  }
  return face;
}
