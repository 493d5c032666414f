/** What a Job's podFailurePolicy says about a failed pod. Pure. */
import type { Job, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyRule } from '../../kube/api/batch-v1.js';
import { keyOf } from '../../kube/meta.js';
import type { Pod } from '../../kube/pod.js';

export interface Judgement {
  readonly action: 'FailJob' | 'FailIndex' | 'Ignore' | 'Count';
  /** Why, for people. */
  readonly message: string;
}

const counted: Judgement = { action: 'Count', message: '' };

/** The first rule that matches decides; without one the pod counts. */
export function judge({ spec }: Job, pod: Pod): Judgement {
  for (const [i, rule] of (spec?.podFailurePolicy?.rules ?? []).entries()) {
    const why = matchOf(rule, pod);
    if (why === undefined) continue;
    const action = rule.action as Judgement['action'];
    return { action, message: `${why} matching ${rule.action} rule at index ${i}` };
  }
  return counted;
}

function matchOf(rule: PodFailurePolicyRule, pod: Pod): string | undefined {
  if (rule.onExitCodes) return exitCodeMatch(rule.onExitCodes, pod);
  const pattern = rule.onPodConditions?.find(({ type, status = 'True' }) =>
    pod.status?.conditions?.some(condition => condition.type === type && condition.status === status),
  );
  return pattern && `Pod ${keyOf(pod)} has condition ${pattern.type}`;
}

function exitCodeMatch(rule: PodFailurePolicyOnExitCodesRequirement, pod: Pod): string | undefined {
  const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
  const found = statuses.find(({ name, state }) => {
    if (rule.containerName && rule.containerName !== name) return false;
    const code = state?.terminated?.exitCode;
    if (code === undefined || code === 0) return false;
    return (rule.values ?? []).includes(code) === (rule.operator === 'In');
  });
  return (
    found && `Container ${found.name} for pod ${keyOf(pod)} failed with exit code ${found.state?.terminated?.exitCode}`
  );
}
