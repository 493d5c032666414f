/** scheduling.k8s.io/v1 PriorityClass. */
import type { PriorityClass } from '../../kube/api/scheduling-v1.js';
import { ageColumn, column, nameColumn, numberColumn } from '../columns.js';
import type { AnyObject, Kind } from '../kind.js';
import { validatePriorityClass, validatePriorityClassUpdate } from '../scheduling/priority.js';

const asClass = (object: AnyObject): PriorityClass => object as unknown as PriorityClass;

export const priorityClass: Kind = {
  group: 'scheduling.k8s.io',
  version: 'v1',
  kind: 'PriorityClass',
  plural: 'priorityclasses',
  singular: 'priorityclass',
  namespaced: false,
  shortNames: ['pc'],
  type: 'scheduling.v1.PriorityClass',
  description:
    'PriorityClass names how important pods are; the higher value is scheduled first and may evict the lower.',
  columns: [
    nameColumn,
    numberColumn('Value', object => asClass(object).value ?? 0),
    column('Global-Default', object => String(asClass(object).globalDefault ?? false)),
    ageColumn,
    column('PreemptionPolicy', object => asClass(object).preemptionPolicy ?? ''),
  ],
  defaults: object => {
    const priority = asClass(object);
    priority.value ??= 0;
    priority.preemptionPolicy ??= 'PreemptLowerPriority';
  },
  validate: object => validatePriorityClass(asClass(object)),
  validateUpdate: (next, old) => validatePriorityClassUpdate(asClass(next), asClass(old)),
};
