/**
 * Volumes that only some nodes reach. A claim that is bound goes where its volume is; one that waits for its first consumer
 * goes where a volume is, or can be made; any other unbound claim holds its pod back.
 */
import type { PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec } from '../../kube/api/core-v1.js';
import type { StorageClass } from '../../kube/api/storage-v1.js';
import { requirementsOf } from '../../kube/label-selector.js';
import { matchesNodeSelector } from '../../kube/node-selector.js';
import { quantityNanos } from '../../kube/quantity.js';
import { matchesLabels } from '../../kube/selector.js';
import type { Cluster } from '../cluster.js';
import type { NodeInfo } from '../node-info.js';
import type { PodInfo } from '../pod-info.js';
import { type Filter, final } from './contract.js';

export const selectedNode = 'volume.kubernetes.io/selected-node';
const noProvisioner = 'kubernetes.io/no-provisioner';
const elsewhere = final("node(s) didn't match PersistentVolume's node affinity");
const nothingToBind = final("node(s) didn't find available persistent volumes to bind");
const lost = final('node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)');

interface Claims {
  readonly volumes: readonly PersistentVolume[];
  readonly waiting: readonly { claim: PersistentVolumeClaim; storage: StorageClass }[];
  readonly lost: boolean;
}

export const volumeBinding: Filter = {
  name: 'VolumeBinding',
  wakes: ['volume', 'node-added', 'node-labels'],
  prepare: (info, cluster) => {
    if (info.claims.length === 0) return undefined;
    const found = claimsOf(info, cluster);
    if (typeof found === 'string') return { refused: found };
    const available = found.waiting.map(({ claim, storage }) => candidates(claim, storage, cluster));
    return {
      at: node => {
        if (found.lost) return lost;
        if (!found.volumes.every(volume => reaches(volume, node))) return elsewhere;
        return found.waiting.every((one, i) => canBind(one, available[i]!, node)) ? undefined : nothingToBind;
      },
    };
  },
};

/** Claims that the choice of a node is to be written on. */
export function waitingClaims(info: PodInfo, cluster: Cluster): readonly PersistentVolumeClaim[] {
  if (info.claims.length === 0) return [];
  const found = claimsOf(info, cluster);
  return typeof found === 'string' ? [] : found.waiting.map(({ claim }) => claim);
}

/** @returns a text if no node will do */
function claimsOf({ namespace, claims }: PodInfo, { objects }: Cluster): Claims | string {
  const volumes: PersistentVolume[] = [];
  const waiting: { claim: PersistentVolumeClaim; storage: StorageClass }[] = [];
  let missing = false;
  for (const name of claims) {
    const claim = objects.get('PersistentVolumeClaim', namespace, name) as PersistentVolumeClaim | undefined;
    if (!claim) return `persistentvolumeclaim "${name}" not found`;
    if (claim.metadata.deletionTimestamp) return `persistentvolumeclaim "${name}" is being deleted`;
    const bound = claim.spec?.volumeName;
    if (bound) {
      const volume = objects.get('PersistentVolume', undefined, bound) as PersistentVolume | undefined;
      if (volume) volumes.push(volume);
      else missing = true;
      continue;
    }
    const storage = objects.get('StorageClass', undefined, claim.spec?.storageClassName ?? '') as
      | StorageClass
      | undefined;
    if (storage?.volumeBindingMode !== 'WaitForFirstConsumer')
      return 'pod has unbound immediate PersistentVolumeClaims';
    waiting.push({ claim, storage });
  }
  return { volumes, waiting, lost: missing };
}

const required = (volume: PersistentVolume) =>
  (volume.spec as PersistentVolumeSpec & { nodeAffinity?: { required?: Parameters<typeof matchesNodeSelector>[0] } })
    ?.nodeAffinity?.required;

function reaches(volume: PersistentVolume, node: NodeInfo): boolean {
  const selector = required(volume);
  return !selector || matchesNodeSelector(selector, node.node);
}

/** Free volumes that the claim would take. */
function candidates(claim: PersistentVolumeClaim, storage: StorageClass, { objects }: Cluster): PersistentVolume[] {
  return [...(objects.list('PersistentVolume') as Iterable<PersistentVolume>)].filter(volume =>
    isCandidate(volume, claim, storage),
  );
}

function isCandidate(
  { metadata, spec, status }: PersistentVolume,
  claim: PersistentVolumeClaim,
  storage: StorageClass,
) {
  const holder = spec?.claimRef;
  if (holder && (holder.name !== claim.metadata.name || holder.namespace !== claim.metadata.namespace)) return false;
  if (!holder && status?.phase && status.phase !== 'Available') return false;
  if (spec?.storageClassName !== storage.metadata.name) return false;
  const { accessModes = [], resources, selector, volumeMode = 'Filesystem' } = claim.spec ?? {};
  if ((spec?.volumeMode ?? 'Filesystem') !== volumeMode) return false;
  if (!accessModes.every(mode => spec?.accessModes?.includes(mode))) return false;
  const requirements = requirementsOf(selector);
  if (requirements && !matchesLabels(requirements, metadata.labels)) return false;
  return quantityNanos(spec?.capacity?.['storage'] ?? '0') >= quantityNanos(resources?.requests?.['storage'] ?? '0');
}

function canBind(
  { claim, storage }: { claim: PersistentVolumeClaim; storage: StorageClass },
  available: readonly PersistentVolume[],
  node: NodeInfo,
): boolean {
  const chosen = claim.metadata.annotations?.[selectedNode];
  if (chosen !== undefined && chosen !== node.name) return false;
  if (available.some(volume => reaches(volume, node))) return true;
  return storage.provisioner !== noProvisioner && isAllowed(storage, node);
}

function isAllowed({ allowedTopologies = [] }: StorageClass, { labels }: NodeInfo): boolean {
  if (allowedTopologies.length === 0) return true;
  return allowedTopologies.some(({ matchLabelExpressions = [] }) =>
    matchLabelExpressions.every(({ key, values }) => values?.includes(labels[key] ?? '') ?? false),
  );
}

const zoneLabels = [
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
];

/** A volume with zone labels is used within its zone; several zones are separated by `__`. */
export const volumeZone: Filter = {
  name: 'VolumeZone',
  wakes: ['volume', 'node-added', 'node-labels'],
  prepare: (info, cluster) => {
    if (info.claims.length === 0) return undefined;
    const found = claimsOf(info, cluster);
    if (typeof found === 'string') return undefined;
    const zones = found.volumes.flatMap(({ metadata: { labels } }) =>
      zoneLabels.flatMap(key => (labels?.[key] ? [{ key, values: labels[key].split('__') }] : [])),
    );
    if (zones.length === 0) return undefined;
    return {
      at: ({ labels }) =>
        zones.every(({ key, values }) => values.includes(labels[key] ?? ''))
          ? undefined
          : final('node(s) had no available volume zone'),
    };
  },
};

/** A claim with ReadWriteOncePod is used by one pod. */
export const volumeRestrictions: Filter = {
  name: 'VolumeRestrictions',
  wakes: ['volume', 'pod-gone'],
  prepare: ({ namespace, claims }, cluster) => {
    const single = claims.filter(name => {
      const claim = cluster.objects.get('PersistentVolumeClaim', namespace, name) as PersistentVolumeClaim | undefined;
      return claim?.spec?.accessModes?.includes('ReadWriteOncePod');
    });
    if (single.length === 0) return undefined;
    const uses = (other: PodInfo) => other.namespace === namespace && other.claims.some(name => single.includes(name));
    const users = new Map(cluster.count(`claims ${namespace}/${single.join()}`, uses));
    const total = () => [...users.values()].reduce((sum, count) => sum + count, 0);
    const taken = {
      reasons: ['node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode'],
      final: false,
    };
    return {
      at: () => (total() > 0 ? taken : undefined),
      shift: (other, node, by) => {
        if (uses(other)) users.set(node.name, (users.get(node.name) ?? 0) + by);
      },
    };
  },
};
