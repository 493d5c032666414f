/** From wanted endpoints to actions on the slices of one owner. */
import type { EndpointSlice } from '../../kube/api/discovery-v1.js';
import type { KubeObject } from '../../kube/meta.js';
import { type Action, type FactsView, targetOf } from '../contract.js';
import { controllerRefTo } from '../pods/ownership.js';
import { generatedPodName } from '../pods/template.js';
import { mergePatchOf } from '../status-patch.js';
import { type Fitted, fitSlices, type Group, isChanged } from './fit.js';

export const serviceNameLabel = 'kubernetes.io/service-name';
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by';

/** The slices that `manager` has made for this owner. */
export function slicesOf(view: FactsView, owner: KubeObject, manager: string): EndpointSlice[] {
  return (view.dependents(owner.metadata.uid ?? '') as unknown as EndpointSlice[]).filter(
    ({ kind, metadata }) => kind === 'EndpointSlice' && metadata.labels?.[managedByLabel] === manager,
  );
}

export interface Wanted {
  readonly groups: readonly Group[];
  readonly labels: Readonly<Record<string, string>>;
  /** All of them; undefined: they are nobody's business. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** @param owner from the view: it has its kind, apiVersion and UID */
export function writeSlices(
  slices: readonly EndpointSlice[],
  owner: KubeObject,
  wanted: Wanted,
  random: () => number,
  prefix = owner.metadata.name,
): Action[] {
  const living = slices.filter(({ metadata }) => !metadata.deletionTimestamp);
  const { kept, made, gone } = fitSlices(living, wanted.groups);
  return [
    ...kept.flatMap(one => patchOf(one, wanted)),
    ...made.map(group => createOf(group, owner, wanted, generatedPodName(prefix, random))),
    ...deletionsOf(gone),
  ];
}

export const deletionsOf = (slices: readonly EndpointSlice[]): Action[] =>
  slices.map(slice => ({ do: 'delete', target: targetOf(slice) }));

function patchOf(one: Fitted['kept'][number], wanted: Wanted): Action[] {
  const { metadata } = one.slice;
  const labels = mergePatchOf(metadata.labels ?? {}, wanted.labels);
  const annotations = wanted.annotations ? mergePatchOf(metadata.annotations ?? {}, wanted.annotations) : {};
  const changed = {
    ...(Object.keys(labels).length > 0 && { labels }),
    ...(Object.keys(annotations).length > 0 && { annotations }),
  };
  const patch = {
    ...(isChanged(one) && { endpoints: one.endpoints }),
    ...(Object.keys(changed).length > 0 && { metadata: changed }),
  };
  if (Object.keys(patch).length === 0) return [];
  return [{ do: 'patch', target: targetOf(one.slice), at: metadata.resourceVersion, patch }];
}

function createOf(
  group: Group,
  owner: KubeObject,
  { labels, annotations }: Wanted,
  names: { name: string; generateName: string },
): Action {
  const { namespace } = owner.metadata;
  const metadata = {
    ...names,
    ...(namespace && { namespace }),
    labels,
    ...(annotations && Object.keys(annotations).length > 0 && { annotations }),
    ownerReferences: [controllerRefTo(owner)],
  };
  return {
    do: 'create',
    object: { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata, ...group } as KubeObject,
  };
}
