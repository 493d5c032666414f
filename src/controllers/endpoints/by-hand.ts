/** Endpoints that people and programs write themselves. Pure. */
import type { Endpoints, Service } from '../../kube/api/core-v1.js';
import { type Action, type FactsView, type Key, type Seen, targetOf } from '../contract.js';
import { keyOfObject, objectOf } from '../pods/ownership.js';

/** Old programs agree on their leader in an Endpoints object, which is about no Service at all. */
export const isLeaderRecord = ({ metadata }: Endpoints): boolean =>
  metadata.annotations?.['control-plane.alpha.kubernetes.io/leader'] !== undefined;

const gone = ' gone';

/** Wakes for `deleteOrphaned`: Endpoints may be written before their Service, so only its deletion means anything. */
export const keyOfGone = (service: Seen): Key => keyOfObject(service) + gone;

/** The Endpoints of a Service that was deleted, whoever wrote them. Undefined for another key. */
export function deleteOrphaned(view: FactsView, key: Key): Action[] | undefined {
  if (!key.endsWith(gone)) return undefined;
  const name = key.slice(0, -gone.length);
  const found = objectOf<Endpoints>(view, 'Endpoints', name);
  const isOrphan = !objectOf<Service>(view, 'Service', name) && found && !found.metadata.deletionTimestamp;
  return isOrphan && !isLeaderRecord(found) ? [{ do: 'delete', target: targetOf(found) }] : [];
}
