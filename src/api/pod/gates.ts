/** What may change of a pod that is held back by scheduling gates: gates go, and where it may run gets narrower. Pure. */
import type { NodeSelector, NodeSelectorTerm } from '../../kube/api/core-v1.js';
import { deepEqual } from '../../kube/json.js';
import type { Pod, PodSpec } from '../../kube/pod.js';
import { type FieldError, forbiddenField, invalid } from '../errors.js';

/** The fields that the pod's general check then need not look at. */
export function restoreGated(restored: PodSpec, { spec: old }: Pod): void {
  const isGated = (old.schedulingGates ?? []).length > 0;
  for (const key of isGated ? (['schedulingGates', 'nodeSelector', 'affinity'] as const) : []) {
    if (old[key] === undefined) delete restored[key];
    else Object.assign(restored, { [key]: old[key] });
  }
}

export function validateGated({ spec: next }: Pod, { spec: old }: Pod): FieldError[] {
  const before = old.schedulingGates ?? [];
  const added = (next.schedulingGates ?? []).filter(({ name }) => !before.some(gate => gate.name === name));
  const errors = added.map(({ name }) =>
    forbiddenField('spec.schedulingGates', `only deletion is allowed, but found new scheduling gate '${name}'`),
  );
  return before.length === 0 ? errors : [...errors, ...selectorErrors(next, old), ...affinityErrors(next, old)];
}

function selectorErrors(next: PodSpec, old: PodSpec): FieldError[] {
  const kept = Object.entries(old.nodeSelector ?? {}).every(([key, value]) => next.nodeSelector?.[key] === value);
  const why = 'only additions to spec.nodeSelector are allowed (no mutations or deletions)';
  return kept ? [] : [invalid('spec.nodeSelector', next.nodeSelector, why)];
}

function affinityErrors({ affinity: next = {} }: PodSpec, { affinity: old = {} }: PodSpec): FieldError[] {
  const path = 'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution';
  const required = (affinity: typeof next) => affinity.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const others = (affinity: typeof next) => [affinity.podAffinity ?? {}, affinity.podAntiAffinity ?? {}];
  return [
    ...(deepEqual(others(next), others(old))
      ? []
      : [forbiddenField('spec.affinity', 'pod affinity and anti-affinity may not be changed')]),
    ...(narrows(required(next), required(old))
      ? []
      : [
          invalid(
            `${path}.nodeSelectorTerms`,
            required(next)?.nodeSelectorTerms,
            'no additions/deletions to terms are allowed',
          ),
        ]),
  ];
}

/** Terms are alternatives: a new one would widen, a new requirement within one narrows. */
function narrows(next: NodeSelector | undefined, old: NodeSelector | undefined): boolean {
  const before = old?.nodeSelectorTerms ?? [];
  const after = next?.nodeSelectorTerms ?? [];
  if (before.length === 0) return true;
  return after.length === before.length && before.every((term, i) => includes(after[i] ?? {}, term));
}

const includes = (next: NodeSelectorTerm, old: NodeSelectorTerm): boolean =>
  (['matchExpressions', 'matchFields'] as const).every(part =>
    (old[part] ?? []).every(one => (next[part] ?? []).some(other => deepEqual(one, other))),
  );
