/**
 * PersistentVolumeClaims of a StatefulSet: made with their pod, and kept when it goes, unless
 * persistentVolumeClaimRetentionPolicy says otherwise. Then the garbage collector removes them after their owner: the set
 * (whenDeleted) or, for a pod that is scaled away, that pod (whenScaled).
 */
import type { StatefulSet } from '../../kube/api/apps-v1.js';
import type { PersistentVolumeClaim } from '../../kube/api/core-v1.js';
import { deepEqual } from '../../kube/json.js';
import { type OwnerReference, referenceTo } from '../../kube/meta.js';
import type { Pod } from '../../kube/pod.js';
import { type Action, type FactsView, targetOf } from '../contract.js';
import { controllerRefTo } from '../pods/ownership.js';
import { claimsOf } from './identity.js';

export interface Claims {
  /** Those that are not there yet. */
  readonly create: readonly Action[];
  /** One of them is being deleted: its pod has to wait for a new one. */
  readonly leaving: boolean;
}

/** @returns what the pod of that number needs first */
export function neededClaims(view: FactsView, set: StatefulSet, ordinal: number): Claims {
  const wanted = claimsOf(set, ordinal);
  const found = wanted.map(claim => claimIn(view, claim));
  const whenDeleted = set.spec?.persistentVolumeClaimRetentionPolicy?.whenDeleted === 'Delete';
  return {
    create: wanted.flatMap((claim, i) => {
      if (found[i]) return [];
      const metadata = { ...claim.metadata, ...(whenDeleted && { ownerReferences: [controllerRefTo(set)] }) };
      return [createClaim(set, ordinal, { ...claim, metadata })];
    }),
    leaving: found.some(claim => claim?.metadata.deletionTimestamp !== undefined),
  };
}

const claimIn = (view: FactsView, { metadata }: PersistentVolumeClaim): PersistentVolumeClaim | undefined =>
  view.get('PersistentVolumeClaim', metadata.namespace, metadata.name) as PersistentVolumeClaim | undefined;

function createClaim(set: StatefulSet, ordinal: number, claim: PersistentVolumeClaim): Action {
  const what = `create Claim ${claim.metadata.name} Pod ${set.metadata.name}-${ordinal} in StatefulSet ${set.metadata.name}`;
  return {
    do: 'create',
    object: claim,
    tell: {
      about: referenceTo(set),
      done: { reason: 'SuccessfulCreate', message: `${what} success` },
      failed: { reason: 'FailedCreate', message: `${what} failed error` },
    },
  };
}

/**
 * Says in the claims who they go with; empty when they say so already.
 * @param pod undefined where there is none, `condemned` if it is about to be scaled away
 */
export function claimOwners(
  view: FactsView,
  set: StatefulSet,
  ordinal: number,
  { pod, condemned }: { pod: Pod | undefined; condemned: boolean },
): Action[] {
  const { whenDeleted, whenScaled } = set.spec?.persistentVolumeClaimRetentionPolicy ?? {};
  const withPod = condemned && whenScaled === 'Delete' ? pod : undefined;
  const owners = withPod ? [podReference(withPod)] : whenDeleted === 'Delete' ? [controllerRefTo(set)] : [];
  return claimsOf(set, ordinal).flatMap(wanted => {
    const claim = claimIn(view, wanted);
    return claim && !claim.metadata.deletionTimestamp ? setOwners(claim, owners, set, pod) : [];
  });
}

function setOwners(
  claim: PersistentVolumeClaim,
  owners: readonly OwnerReference[],
  set: StatefulSet,
  pod: Pod | undefined,
): Action[] {
  const before = claim.metadata.ownerReferences ?? [];
  const ours = new Set([set.metadata.uid, pod?.metadata.uid]);
  // a pod of this number that has gone, too: its successor must not lose the claim with it
  const isOurs = (owner: OwnerReference): boolean =>
    ours.has(owner.uid) || (owner.kind === 'Pod' && claim.metadata.name.endsWith(`-${owner.name}`));
  const next = [...before.filter(owner => !isOurs(owner)), ...owners];
  if (deepEqual(before, next)) return [];
  return [
    {
      do: 'patch',
      target: targetOf(claim),
      at: claim.metadata.resourceVersion,
      patch: { metadata: { ownerReferences: next.length > 0 ? next : null } },
    },
  ];
}

const podReference = (pod: Pod): OwnerReference => ({
  apiVersion: 'v1',
  kind: 'Pod',
  name: pod.metadata.name,
  uid: pod.metadata.uid ?? '',
});
