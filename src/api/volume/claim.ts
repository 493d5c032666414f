/** What claims and volumes share: defaults, access modes as people write them. */
import type { PersistentVolumeClaim } from '../../kube/api/core-v1.js';

/** In place; also for the claims that a StatefulSet makes. */
export function defaultClaim(claim: PersistentVolumeClaim): void {
  claim.spec ??= {};
  claim.spec.volumeMode ??= 'Filesystem';
}

const shortModes: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};

/** `RWO,ROX`, each once and in this order. */
export function accessModesText(modes: readonly string[] | undefined): string {
  return Object.entries(shortModes)
    .filter(([mode]) => modes?.includes(mode))
    .map(([, short]) => short)
    .join(',');
}

const legacyClassAnnotation = 'volume.beta.kubernetes.io/storage-class';

/** The class of a claim or volume; the annotation is how it was said before 1.6. */
export function storageClassOf(object: {
  metadata: { annotations?: Readonly<Record<string, string>> };
  spec?: { storageClassName?: string };
}): string | undefined {
  return object.metadata.annotations?.[legacyClassAnnotation] ?? object.spec?.storageClassName;
}
