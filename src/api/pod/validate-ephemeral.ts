/** Ephemeral containers: what they may have, and that they are only ever added. Pure; Kubernetes' words. */
import { deepEqual } from '../../kube/json.js';
import type { EphemeralContainer, Pod, PodSpec } from '../../kube/pod.js';
import { duplicate, type FieldError, forbiddenField, missing } from '../errors.js';
import { validateContainer } from './validate-container.js';

const field = 'spec.ephemeralContainers';

/** What has no meaning for a container that runs once, without guarantees. */
const unavailable = [
  'ports',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
  'resources',
  'resizePolicy',
  'restartPolicy',
] as const;

export function validateEphemeral(spec: PodSpec): FieldError[] {
  const volumes = new Set((spec.volumes ?? []).map(volume => volume.name));
  const others = [...spec.containers, ...(spec.initContainers ?? [])].map(container => container.name);
  const seen = new Set(others);
  return (spec.ephemeralContainers ?? []).flatMap((container, i) => {
    const here = `${field}[${i}]`;
    const repeated = container.name !== '' && seen.has(container.name);
    seen.add(container.name);
    const { targetContainerName: target } = container;
    return [
      ...validateContainer(withoutUnavailable(container), volumes, here, false),
      ...(repeated ? [duplicate(`${here}.name`, container.name)] : []),
      ...(target && !others.includes(target) ? [missing(`${here}.targetContainerName`, target)] : []),
      ...unavailable
        .filter(key => isSet((container as unknown as Record<string, unknown>)[key]))
        .map(key => forbiddenField(`${here}.${key}`, 'cannot be set for an Ephemeral Container')),
      ...(container.volumeMounts ?? []).flatMap((mount, j) => [
        ...(mount.subPath ? [notSubPath(`${here}.volumeMounts[${j}].subPath`)] : []),
        ...(mount.subPathExpr ? [notSubPath(`${here}.volumeMounts[${j}].subPathExpr`)] : []),
      ]),
    ];
  });
}

const notSubPath = (path: string): FieldError => forbiddenField(path, 'cannot be set for an Ephemeral Container');

function isSet(value: unknown): boolean {
  return value !== undefined && !(typeof value === 'object' && value !== null && Object.keys(value).length === 0);
}

/** One complaint for each: not also what would be wrong with it elsewhere. */
function withoutUnavailable(container: EphemeralContainer): EphemeralContainer {
  const kept = Object.entries(container).filter(([key]) => !(unavailable as readonly string[]).includes(key));
  return Object.fromEntries(kept) as unknown as EphemeralContainer;
}

export function validateEphemeralUpdate(next: Pod, old: Pod): FieldError[] {
  const now = new Map((next.spec.ephemeralContainers ?? []).map(container => [container.name, container]));
  return (old.spec.ephemeralContainers ?? []).flatMap(container => {
    const kept = now.get(container.name);
    const name = JSON.stringify(container.name);
    if (!kept) return [forbiddenField(field, `existing ephemeral containers ${name} may not be removed\n`)];
    if (deepEqual(kept, container)) return [];
    return [forbiddenField(field, `existing ephemeral containers ${name} may not be changed\n`)];
  });
}
