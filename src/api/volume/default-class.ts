/** The StorageClass of claims that name none. */
import type { KubeObject } from '../../kube/meta.js';

const annotation = 'storageclass.kubernetes.io/is-default-class';
const legacyAnnotation = 'storageclass.beta.kubernetes.io/is-default-class';

export function isDefaultClass({ metadata: { annotations = {} } }: KubeObject): boolean {
  return annotations[annotation] === 'true' || annotations[legacyAnnotation] === 'true';
}
