/** The names of what a pod's spec refers to in its namespace. Pure. */
import type { Container, Pod, PodSpec } from '../../kube/pod.js';

type Names = Set<string>;

export function secretsOf({ spec }: Pod): Names {
  const names = new Set<string>();
  for (const { name } of (spec as PodSpec & { imagePullSecrets?: { name?: string }[] }).imagePullSecrets ?? [])
    add(names, name);
  for (const { secret, projected } of spec.volumes ?? []) {
    add(names, secret?.secretName);
    for (const source of projected?.sources ?? []) add(names, source.secret?.name);
  }
  for (const { env = [], envFrom = [] } of containersOf(spec)) {
    for (const { valueFrom } of env) add(names, valueFrom?.secretKeyRef?.name);
    for (const { secretRef } of envFrom) add(names, secretRef?.name);
  }
  return names;
}

export function configMapsOf({ spec }: Pod): Names {
  const names = new Set<string>();
  for (const { configMap, projected } of spec.volumes ?? []) {
    add(names, configMap?.name);
    for (const source of projected?.sources ?? []) add(names, source.configMap?.name);
  }
  for (const { env = [], envFrom = [] } of containersOf(spec)) {
    for (const { valueFrom } of env) add(names, valueFrom?.configMapKeyRef?.name);
    for (const { configMapRef } of envFrom) add(names, configMapRef?.name);
  }
  return names;
}

/** Claims by name, and those that an `ephemeral` volume makes: `<pod>-<volume>`. */
export function claimsOf({ metadata, spec }: Pod): Names {
  const names = new Set<string>();
  for (const volume of spec.volumes ?? []) {
    add(names, (volume.persistentVolumeClaim as { claimName?: string } | undefined)?.claimName);
    if (volume.ephemeral) add(names, `${metadata.name}-${volume.name}`);
  }
  return names;
}

const add = (names: Names, name: string | undefined): void => {
  if (name) names.add(name);
};

function containersOf(spec: PodSpec): readonly Container[] {
  const { ephemeralContainers = [] } = spec as PodSpec & { ephemeralContainers?: Container[] };
  return [...(spec.initContainers ?? []), ...spec.containers, ...ephemeralContainers];
}
