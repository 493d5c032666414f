/** What a new pod's priority is, and that only one class is everybody's default (Kubernetes' Priority admission). */
import type { PriorityClass } from '../../kube/api/scheduling-v1.js';
import type { Engine } from '../engine.js';
import { forbidden } from '../errors.js';
import type { AnyObject, Kind } from '../kind.js';

interface Prioritized {
  priorityClassName?: string;
  priority?: number;
  preemptionPolicy?: string;
}

const classes = ({ view }: Engine): PriorityClass[] => view.list('PriorityClass') as unknown as PriorityClass[];

/** In place. Throws StatusError 403. */
export function assignPriority(engine: Engine, kind: Kind, object: AnyObject): readonly [] {
  if (kind.kind !== 'Pod' || kind.group !== '') return [];
  const spec = object.spec as Prioritized;
  const chosen = spec.priorityClassName
    ? classes(engine).find(({ metadata }) => metadata.name === spec.priorityClassName)
    : classes(engine).find(({ globalDefault }) => globalDefault);
  if (spec.priorityClassName && !chosen)
    throw forbidden(kind, object.metadata.name, `no PriorityClass with name ${spec.priorityClassName} was found`);
  const priority = chosen?.value ?? 0;
  if (spec.priority !== undefined && spec.priority !== priority)
    throw forbidden(
      kind,
      object.metadata.name,
      `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${priority} from the given PriorityClass name`,
    );
  if (chosen) spec.priorityClassName = chosen.metadata.name;
  spec.priority = priority;
  spec.preemptionPolicy ??= chosen?.preemptionPolicy ?? 'PreemptLowerPriority';
  return [];
}

/** Throws StatusError 403. */
export function oneGlobalDefault(engine: Engine, kind: Kind, object: AnyObject): readonly [] {
  if (kind.kind !== 'PriorityClass' || object.globalDefault !== true) return [];
  const other = classes(engine).find(
    ({ metadata, globalDefault }) => globalDefault && metadata.name !== object.metadata.name,
  );
  if (!other) return [];
  throw forbidden(
    kind,
    object.metadata.name,
    `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`,
  );
}
