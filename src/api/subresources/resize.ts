/** `…/pods/NAME/resize`: CPU and memory of a running pod's containers. Kubernetes' rules and words. */
import { clone } from '../../kube/json.js';
import type { Container, Pod } from '../../kube/pod.js';
import { qosClass } from '../../kube/qos.js';
import { type FieldError, forbiddenField, invalid } from '../errors.js';
import type { AnyObject } from '../kind.js';
import type { Part } from './part.js';

const resizable = ['cpu', 'memory'];

export const resize: Part = {
  narrow: (old, changed) => {
    const next = clone(old) as AnyObject & { spec: Pod['spec'] };
    const wanted = (changed as unknown as Pod).spec;
    for (const list of ['containers', 'initContainers'] as const)
      for (const container of next.spec[list] ?? []) {
        const found = wanted?.[list]?.find(({ name }) => name === container.name);
        if (found) container.resources = clone(found.resources ?? {});
      }
    const { resourceVersion } = changed.metadata ?? {};
    if (resourceVersion) next.metadata.resourceVersion = resourceVersion;
    else delete next.metadata.resourceVersion;
    return next;
  },
  validateUpdate: (next, old) => validateResize(next as unknown as Pod, old as unknown as Pod),
};

function validateResize(next: Pod, old: Pod): FieldError[] {
  const [now, before] = [qosClass(next.spec), qosClass(old.spec)];
  return [
    ...(now === before ? [] : [invalid('spec', now, 'Pod QOS Class may not change as a result of resizing')]),
    ...(old.status?.phase === 'Succeeded' || old.status?.phase === 'Failed'
      ? [forbiddenField('spec', `Pod running phase is ${old.status.phase}, it can not be resized`)]
      : []),
    ...next.spec.containers.flatMap((container, i) =>
      validateContainerResize(container, old.spec.containers[i]!, `spec.containers[${i}].resources`),
    ),
  ];
}

function validateContainerResize(next: Container, old: Container, path: string): FieldError[] {
  return (['limits', 'requests'] as const).flatMap(list => {
    const [now, before] = [next.resources?.[list] ?? {}, old.resources?.[list] ?? {}];
    const others = [...new Set([...Object.keys(now), ...Object.keys(before)])].filter(
      name => !resizable.includes(name) && now[name] !== before[name],
    );
    const removed = resizable.filter(name => before[name] !== undefined && now[name] === undefined);
    return [
      ...(others.length > 0 ? [forbiddenField('spec', 'only cpu and memory resources are mutable')] : []),
      ...removed.map(() => forbiddenField(`${path}.${list}`, `resource ${list} cannot be removed`)),
    ];
  });
}
