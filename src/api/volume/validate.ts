/** PersistentVolume, PersistentVolumeClaim, StorageClass. Pure; Kubernetes' words and paths. */
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  PersistentVolumeSpec,
} from '../../kube/api/core-v1.js';
import type { StorageClass } from '../../kube/api/storage-v1.js';
import { deepEqual } from '../../kube/json.js';
import { qualifiedNameProblems, subdomainProblems } from '../../kube/names.js';
import { compareQuantities } from '../../kube/quantity.js';
import { type FieldError, forbiddenField, invalid, notSupported, required } from '../errors.js';
import { immutable, validateLabelSelector } from '../field-checks.js';
import { choice, names } from '../pod/validate.js';
import { storageClassOf } from './claim.js';

const modes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];

function validateModes(accessModes: readonly string[] | undefined): FieldError[] {
  if (!accessModes?.length) return [required('spec.accessModes', 'at least 1 access mode is required')];
  return [
    ...accessModes.flatMap(mode => (modes.includes(mode) ? [] : [notSupported('spec.accessModes', mode, modes)])),
    ...(accessModes.includes('ReadWriteOncePod') && accessModes.length > 1
      ? [forbiddenField('spec.accessModes', 'may not use ReadWriteOncePod with other access modes')]
      : []),
  ];
}

/** @param size `undefined` when it is missing. */
function validateSize(path: string, size: string | undefined): FieldError[] {
  if (size === undefined) return [required(path)];
  return compareQuantities(size, '0') > 0 ? [] : [invalid(path, size, 'must be greater than zero')];
}

/** What a PersistentVolumeSpec has beside the one that says where the data is. */
const notSources: ReadonlySet<string> = new Set([
  'capacity',
  'accessModes',
  'claimRef',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'mountOptions',
  'volumeMode',
  'nodeAffinity',
  'volumeAttributesClassName',
]);
const sourcesOf = (spec: PersistentVolumeSpec): string[] => Object.keys(spec).filter(field => !notSources.has(field));

export function validateVolume({ spec = {} }: PersistentVolume): FieldError[] {
  const sources = sourcesOf(spec);
  const { capacity = {}, local, hostPath, nfs } = spec;
  return [
    ...validateModes(spec.accessModes),
    ...(Object.keys(capacity).length === 1 && capacity.storage !== undefined
      ? validateSize('spec.capacity[storage]', capacity.storage)
      : Object.keys(capacity).length === 0
        ? [required('spec.capacity')]
        : [notSupported('spec.capacity', capacity, ['storage'])]),
    ...choice('spec.persistentVolumeReclaimPolicy', spec.persistentVolumeReclaimPolicy, [
      'Delete',
      'Recycle',
      'Retain',
    ]),
    ...(sources.length === 0 ? [required('spec', 'must specify a volume type')] : []),
    ...sources.slice(1).map(source => forbiddenField(`spec.${source}`, 'may not specify more than 1 volume type')),
    ...(hostPath && !hostPath.path ? [required('spec.hostPath.path')] : []),
    ...(hostPath?.path?.split('/').includes('..')
      ? [invalid('spec.hostPath.path', hostPath.path, "must not contain '..'")]
      : []),
    ...(nfs && !nfs.server ? [required('spec.nfs.server')] : []),
    ...(nfs && !nfs.path ? [required('spec.nfs.path')] : []),
    ...(nfs?.path && !nfs.path.startsWith('/') ? [invalid('spec.nfs.path', nfs.path, 'must be an absolute path')] : []),
    ...(local && !local.path ? [required('spec.local.path')] : []),
    ...(local && !spec.nodeAffinity ? [required('spec.nodeAffinity', 'Local volume requires node affinity')] : []),
    ...names('spec.storageClassName', spec.storageClassName, subdomainProblems),
    ...choice('spec.volumeMode', spec.volumeMode, ['Block', 'Filesystem']),
  ];
}

export function validateVolumeUpdate(next: PersistentVolume, old: PersistentVolume): FieldError[] {
  const sources = (spec: PersistentVolumeSpec = {}): unknown =>
    Object.fromEntries(Object.entries(spec).filter(([field]) => !notSources.has(field)));
  return [
    ...(deepEqual(sources(next.spec), sources(old.spec))
      ? []
      : [forbiddenField('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation')]),
    ...immutable('spec.volumeMode', next.spec?.volumeMode, old.spec?.volumeMode),
    ...(old.spec?.nodeAffinity ? immutable('spec.nodeAffinity', next.spec?.nodeAffinity, old.spec.nodeAffinity) : []),
  ];
}

export function validateClaim({ spec }: PersistentVolumeClaim): FieldError[] {
  if (!spec) return [required('spec')];
  return [
    ...validateModes(spec.accessModes),
    ...validateLabelSelector(spec.selector, 'spec.selector'),
    ...validateSize('spec.resources[storage]', spec.resources?.requests?.storage),
    ...names('spec.storageClassName', spec.storageClassName, subdomainProblems),
    ...choice('spec.volumeMode', spec.volumeMode, ['Block', 'Filesystem']),
  ];
}

const claimText =
  'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';

export function validateClaimUpdate(next: PersistentVolumeClaim, old: PersistentVolumeClaim): FieldError[] {
  const { spec = {} } = next;
  const before = old.spec ?? {};
  const bound = old.status?.phase === 'Bound';
  const size = spec.resources?.requests?.storage;
  const sizeBefore = before.resources?.requests?.storage;
  const smaller = size !== undefined && sizeBefore !== undefined && compareQuantities(size, sizeBefore) < 0;
  return [
    ...(deepEqual(fixedClaim(next, old, bound), fixedClaim(old, old, bound))
      ? []
      : [forbiddenField('spec', claimText)]),
    ...(bound && smaller
      ? [forbiddenField('spec.resources.requests.storage', 'field can not be less than status.capacity')]
      : []),
  ];
}

/** The part that stays: the volume may be named once, a class may be given to a claim that had none. */
function fixedClaim(claim: PersistentVolumeClaim, old: PersistentVolumeClaim, bound: boolean): unknown {
  const spec: PersistentVolumeClaimSpec = { ...claim.spec };
  if (!old.spec?.volumeName) delete spec.volumeName;
  if (storageClassOf(old) === undefined) delete spec.storageClassName;
  if (bound) {
    delete spec.volumeAttributesClassName;
    const { requests: _, ...resources } = spec.resources ?? {};
    spec.resources = resources;
  }
  return spec;
}

export function validateClass(given: StorageClass): FieldError[] {
  const { provisioner, parameters = {} } = given;
  return [
    ...(provisioner
      ? qualifiedNameProblems(provisioner.toLowerCase()).map(why => invalid('provisioner', provisioner, why))
      : [required('provisioner')]),
    ...(Object.keys(parameters).some(key => key === '') ? [invalid('parameters', '', 'field can not be empty.')] : []),
    ...choice('reclaimPolicy', given.reclaimPolicy, ['Delete', 'Retain']),
    ...choice('volumeBindingMode', given.volumeBindingMode, ['Immediate', 'WaitForFirstConsumer']),
  ];
}

export function validateClassUpdate(next: StorageClass, old: StorageClass): FieldError[] {
  const fixed = (field: 'parameters' | 'provisioner' | 'reclaimPolicy'): FieldError[] =>
    deepEqual(next[field], old[field]) ? [] : [forbiddenField(field, `updates to ${field} are forbidden.`)];
  return [
    ...fixed('parameters'),
    ...fixed('provisioner'),
    ...fixed('reclaimPolicy'),
    ...immutable('volumeBindingMode', next.volumeBindingMode, old.volumeBindingMode),
  ];
}
