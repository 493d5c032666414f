/** A pod with a user namespace has none of the node's others (validateHostUsers); only there may /proc be unmasked. */
import type { PodSpec } from '../../kube/pod.js';
import { type FieldError, forbiddenField, invalid } from '../errors.js';

export function validateHostUsers(spec: PodSpec, path: string): FieldError[] {
  return spec.hostUsers === false ? hostNamespaces(spec, path) : unmasked(spec, path);
}

const hostNamespaces = (spec: PodSpec, path: string): FieldError[] =>
  (['hostNetwork', 'hostPID', 'hostIPC'] as const)
    .filter(name => spec[name])
    .map(name => forbiddenField(`${path}.${name}`, 'when `hostUsers` is false'));

const unmasked = (spec: PodSpec, path: string): FieldError[] =>
  (['initContainers', 'containers'] as const).flatMap(list =>
    (spec[list] ?? []).flatMap(({ securityContext }, i) =>
      securityContext?.procMount === 'Unmasked'
        ? [
            invalid(
              `${path}.${list}[${i}].securityContext.procMount`,
              'Unmasked',
              '`hostUsers` must be false to use `Unmasked`',
            ),
          ]
        : [],
    ),
  );
