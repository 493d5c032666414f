/** The StorageClass of claims that name none. */
import type { PersistentVolumeClaim } from '../../kube/api/core-v1.js';
import type { KubeObject } from '../../kube/meta.js';
import type { Engine } from '../engine.js';
import type { AnyObject, Kind } from '../kind.js';
import { storageClassOf } from './claim.js';

const annotation = 'storageclass.kubernetes.io/is-default-class';
const legacyAnnotation = 'storageclass.beta.kubernetes.io/is-default-class';

export function isDefaultClass({ metadata: { annotations = {} } }: KubeObject): boolean {
  return annotations[annotation] === 'true' || annotations[legacyAnnotation] === 'true';
}

const age = ({ metadata }: AnyObject): string => metadata.creationTimestamp ?? '';

/** Of several defaults the youngest is taken; of two of the same second the one whose name comes first. */
export const youngestFirst = (a: AnyObject, b: AnyObject): number =>
  age(a) < age(b) ? 1 : age(a) > age(b) ? -1 : a.metadata.name < b.metadata.name ? -1 : 1;

/** A claim that names no class gets the default one, the youngest if there are several. In place. */
export function assignDefaultClass({ view }: Engine, kind: Kind, object: AnyObject): readonly [] {
  if (kind.kind !== 'PersistentVolumeClaim' || kind.group !== '') return [];
  const claim = object as unknown as PersistentVolumeClaim;
  if (storageClassOf(claim) !== undefined) return [];
  const [chosen] = view.list('StorageClass').filter(isDefaultClass).sort(youngestFirst);
  if (chosen) claim.spec = { ...claim.spec, storageClassName: chosen.metadata.name };
  return [];
}
