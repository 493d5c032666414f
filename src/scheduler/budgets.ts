/** PodDisruptionBudgets: which of some pods could not all go without breaking one. Pure. */
import type { PodDisruptionBudget } from '../kube/api/policy-v1.js';
import { requirementsOf } from '../kube/label-selector.js';
import { matchesLabels } from '../kube/selector.js';
import type { PodInfo } from './pod-info.js';

export interface SplitByBudget {
  readonly breaking: readonly PodInfo[];
  readonly others: readonly PodInfo[];
}

/** In the order given: the first ones use up what a budget allows. */
export function splitByBudget(pods: readonly PodInfo[], budgets: readonly PodDisruptionBudget[]): SplitByBudget {
  const left = budgets.map(({ status }) => status?.disruptionsAllowed ?? 0);
  const breaking: PodInfo[] = [];
  const others: PodInfo[] = [];
  for (const info of pods) {
    const touched = budgets.map((budget, i) => (covers(budget, info) ? i : -1)).filter(i => i >= 0);
    for (const i of touched) left[i]!--;
    (touched.some(i => left[i]! < 0) ? breaking : others).push(info);
  }
  return { breaking, others };
}

/** A pod that the budget knows to be going already costs it nothing more. */
function covers({ metadata, spec, status }: PodDisruptionBudget, { namespace, labels, pod }: PodInfo): boolean {
  if (metadata.namespace !== namespace) return false;
  const requirements = requirementsOf(spec?.selector);
  if (!requirements || requirements.length === 0 || !matchesLabels(requirements, labels)) return false;
  return !Object.hasOwn(status?.disruptedPods ?? {}, pod.metadata.name);
}
