/**
 * What every node is told: all Services, EndpointSlices, Nodes and the peers of NetworkPolicies, cut to what nodes need. Each state of an object is cut
 * and put into words once, however many nodes there are and however often it is sent.
 */
import type { KubeObject } from '../kube/meta.js';

export const sharedKinds = ['Node', 'Service', 'EndpointSlice', 'PolicyPeers'] as const;

export const isShared = (kind: string): boolean => (sharedKinds as readonly string[]).includes(kind);

const texts = new WeakMap<KubeObject, string>();

/** JSON of what nodes need of a shared object. Without its revision, so that only what matters makes a difference. */
export function sharedText(object: KubeObject): string {
  const known = texts.get(object);
  if (known !== undefined) return known;
  const text = JSON.stringify(cut(object));
  texts.set(object, text);
  return text;
}

/** Heartbeats and conditions are nothing to the other nodes. */
export const sameForAll = (before: KubeObject, after: KubeObject): boolean => sharedText(before) === sharedText(after);

function cut(object: KubeObject): object {
  const {
    managedFields: _,
    resourceVersion: __,
    generation: ___,
    ...metadata
  } = object.metadata as KubeObject['metadata'] & {
    managedFields?: unknown;
  };
  const { status, ...rest } = object as KubeObject & { status?: { addresses?: unknown; loadBalancer?: unknown } };
  const { addresses, loadBalancer } = status ?? {};
  const kept = object.kind === 'Node' ? { addresses } : object.kind === 'Service' ? { loadBalancer } : undefined;
  return { ...rest, metadata, ...(kept && { status: kept }) };
}
