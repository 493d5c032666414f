/** What a Deployment does to its ReplicaSets, as actions with their events. */
import type { Deployment, ReplicaSet } from '../../kube/api/apps-v1.js';
import { referenceTo } from '../../kube/meta.js';
import { type Action, type Tell, targetOf } from '../contract.js';
import { controllerRefTo } from '../pods/ownership.js';
import { passedOn, revisionKey, sizeAnnotations } from './annotations.js';
import { hashLabel, templateHash } from './hash.js';
import type { Sizes } from './sizes.js';

export function newName(deployment: Deployment): { hash: string; name: string } {
  const { spec, status, metadata } = deployment;
  const hash = templateHash(spec?.template ?? {}, status?.collisionCount ?? 0);
  return { hash, name: `${metadata.name}-${hash}` };
}

export function createSet(deployment: Deployment, size: number, revision: number): Action {
  const { hash, name } = newName(deployment);
  const { spec } = deployment;
  const { namespace } = deployment.metadata;
  const labels = { ...spec?.template.metadata?.labels, [hashLabel]: hash };
  const set: ReplicaSet = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name,
      ...(namespace && { namespace }),
      labels,
      annotations: { ...passedOn(deployment), ...sizeAnnotations(deployment), [revisionKey]: String(revision) },
      ownerReferences: [controllerRefTo(deployment)],
    },
    spec: {
      replicas: size,
      ...(spec?.minReadySeconds !== undefined && { minReadySeconds: spec.minReadySeconds }),
      selector: { ...spec?.selector, matchLabels: { ...spec?.selector.matchLabels, [hashLabel]: hash } },
      template: { ...spec?.template, metadata: { ...spec?.template.metadata, labels } },
    },
  };
  return {
    do: 'create',
    object: set,
    tell: {
      about: referenceTo(deployment),
      ...(size > 0 && { done: scaled(name, 0, size) }),
      failed: { reason: 'ReplicaSetCreateError', message: `Failed to create new replica set "${name}"` },
    },
  };
}

/** Those whose size and annotations are right already are left out. */
export function resize(deployment: Deployment, sizes: Sizes): Action[] {
  const annotations = sizeAnnotations(deployment);
  return [...sizes].flatMap(([{ set, size }, next]) => {
    const has = set.metadata.annotations ?? {};
    const isRight = Object.entries(annotations).every(([key, value]) => has[key] === value);
    if (size === next && isRight) return [];
    const tell: Tell = { about: referenceTo(deployment), done: scaled(set.metadata.name, size, next) };
    const patch = { metadata: { annotations }, ...(size !== next && { spec: { replicas: next } }) };
    return [patchSet(set, patch, size === next ? undefined : tell)];
  });
}

export function patchSet(set: ReplicaSet, patch: object, tell?: Tell): Action {
  return { do: 'patch', target: targetOf(set), at: set.metadata.resourceVersion, patch, ...(tell && { tell }) };
}

function scaled(name: string, from: number, to: number): { reason: string; message: string } {
  const direction = to > from ? 'up' : 'down';
  return { reason: 'ScalingReplicaSet', message: `Scaled ${direction} replica set ${name} from ${from} to ${to}` };
}
