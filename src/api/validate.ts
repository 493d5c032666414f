/** Validation of metadata, the same for all kinds. Pure: complaints come back, nothing is thrown. */
import { labelProblems, labelValueProblems, qualifiedNameProblems, subdomainProblems } from '../kube/names.js';
import { type FieldError, forbiddenField, invalid, required, tooLongField } from './errors.js';
import type { AnyObject, Kind } from './kind.js';

const annotationsLimit = 256 * 1024;
/** etcd's default request limit; the same here, so that what fits one fits the other. */
export const objectLimit = 1.5 * 1024 * 1024;

export function validateMetadata(kind: Kind, { metadata }: AnyObject): FieldError[] {
  const {
    name,
    generateName,
    namespace,
    labels = {},
    annotations = {},
    finalizers = [],
    ownerReferences = [],
  } = metadata;
  const nameProblems = kind.nameProblems ?? subdomainProblems;
  return [
    ...(name
      ? nameProblems(name).map(why => invalid('metadata.name', name, why))
      : [required('metadata.name', 'name or generateName is required')]),
    ...(generateName
      ? nameProblems(generateName.replace(/-$/, 'a')).map(why => invalid('metadata.generateName', generateName, why))
      : []),
    ...(kind.namespaced
      ? labelProblems(namespace ?? '').map(why => invalid('metadata.namespace', namespace, why))
      : []),
    ...validateLabels('metadata.labels', labels),
    ...validateAnnotations('metadata.annotations', annotations),
    ...finalizers.flatMap((item, i) =>
      qualifiedNameProblems(item).map(why => invalid(`metadata.finalizers[${i}]`, item, why)),
    ),
    ...ownerReferences.flatMap((owner, i) =>
      (['apiVersion', 'kind', 'name', 'uid'] as const)
        .filter(key => !owner[key])
        .map(key => invalid(`metadata.ownerReferences[${i}].${key}`, '', `${key} must not be empty`)),
    ),
    ...(ownerReferences.filter(owner => owner.controller).length > 1
      ? [invalid('metadata.ownerReferences', ownerReferences, 'Only one reference can have Controller set to true.')]
      : []),
  ];
}

/** Also of pod templates. */
export function validateLabels(path: string, labels: Readonly<Record<string, string>>): FieldError[] {
  return Object.entries(labels).flatMap(([key, value]) => [
    ...qualifiedNameProblems(key).map(why => invalid(path, key, why)),
    ...labelValueProblems(value).map(why => invalid(path, value, why)),
  ]);
}

export function validateAnnotations(path: string, annotations: Readonly<Record<string, string>>): FieldError[] {
  const size = Object.entries(annotations).reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  return [
    ...Object.keys(annotations).flatMap(key =>
      qualifiedNameProblems(key.toLowerCase()).map(why => invalid(path, key, why)),
    ),
    ...(size > annotationsLimit ? [tooLongField(path, annotationsLimit)] : []),
  ];
}

/** What an update may never change in the metadata. */
export function validateMetadataUpdate(next: AnyObject, old: AnyObject): FieldError[] {
  const fixed = (['uid', 'creationTimestamp', 'deletionTimestamp'] as const)
    .filter(key => next.metadata[key] !== old.metadata[key])
    .map(key => invalid(`metadata.${key}`, next.metadata[key] ?? null, 'field is immutable'));
  if (!old.metadata.deletionTimestamp) return fixed;
  const before = new Set(old.metadata.finalizers ?? []);
  const added = (next.metadata.finalizers ?? []).filter(item => !before.has(item));
  if (added.length === 0) return fixed;
  return [
    ...fixed,
    forbiddenField(
      'metadata.finalizers',
      `no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`,
    ),
  ];
}
