/** policy/v1 PodDisruptionBudget. */
import type { PodDisruptionBudget } from '../../kube/api/policy-v1.js';
import { ageColumn, column, nameColumn, numberColumn } from '../columns.js';
import type { AnyObject, Kind } from '../kind.js';
import { validateBudget } from '../workload/validate-budget.js';
import { statusSubresource } from './served.js';

const asBudget = (object: AnyObject): PodDisruptionBudget => object as unknown as PodDisruptionBudget;

export const podDisruptionBudget: Kind = {
  group: 'policy',
  version: 'v1',
  kind: 'PodDisruptionBudget',
  plural: 'poddisruptionbudgets',
  singular: 'poddisruptionbudget',
  namespaced: true,
  shortNames: ['pdb'],
  type: 'policy.v1.PodDisruptionBudget',
  description: 'PodDisruptionBudget says how many of its pods may be evicted at one time.',
  hasStatus: true,
  subresources: [statusSubresource],
  columns: [
    nameColumn,
    column('Min Available', object => String(asBudget(object).spec?.minAvailable ?? 'N/A')),
    column('Max Unavailable', object => String(asBudget(object).spec?.maxUnavailable ?? 'N/A')),
    numberColumn('Allowed Disruptions', object => asBudget(object).status?.disruptionsAllowed ?? 0),
    ageColumn,
  ],
  defaults: object => {
    object.spec ??= {};
  },
  prepareCreate: object => {
    object.status = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };
  },
  validate: object => validateBudget(asBudget(object).spec ?? {}),
};
