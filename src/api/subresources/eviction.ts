/** `POST …/pods/NAME/eviction`: a delete that asks the PodDisruptionBudget first, and takes from it in the same commit. */
import { at } from '../../kube/json.js';
import type { Pod } from '../../kube/pod.js';
import { timestamp } from '../../kube/time.js';
import { readObject } from '../codec.js';
import type { Kind } from '../kind.js';
import { type ApiContext, type ApiRequest, fieldValidationOf, isDryRun, type ResourceRoute } from '../request.js';
import { readBody, sendJson } from '../respond.js';
import { type DeleteOptions, deleteObject } from '../verbs/delete.js';
import { claimBudget, inEvictionTurn } from './eviction-budget.js';
import { success } from './success.js';

/** Throws StatusError. */
export async function eviction(context: ApiContext, call: ApiRequest, route: ResourceRoute, kind: Kind): Promise<void> {
  const expected = { group: 'policy', version: 'v1', kind: 'Eviction', type: 'policy.v1.Eviction' };
  const { object } = readObject(
    expected,
    await readBody(call.request),
    call.request.headers['content-type'],
    fieldValidationOf(call.query),
  );
  const options: DeleteOptions = {
    gracePeriodSeconds: at(object, 'deleteOptions', 'gracePeriodSeconds') as number | undefined,
    uid: at(object, 'deleteOptions', 'preconditions', 'uid') as string | undefined,
    resourceVersion: at(object, 'deleteOptions', 'preconditions', 'resourceVersion') as string | undefined,
    dryRun: isDryRun([
      ...((at(object, 'deleteOptions', 'dryRun') as string[] | undefined) ?? []),
      ...call.query.getAll('dryRun'),
    ]),
    join: old => claimBudget(context.engine, old as unknown as Pod),
    onMark: next => markEvicted(next as unknown as Pod, context.engine.now()),
  };
  const { engine } = context;
  await inEvictionTurn(engine, route.namespace, () =>
    deleteObject(engine, kind, route.namespace, route.name!, options),
  );
  sendJson(call.response, 201, { ...success, code: 201 });
}

/** So that a Job's podFailurePolicy can tell an eviction from a failure. In place. */
function markEvicted(pod: Pod, now: number): void {
  const type = 'DisruptionTarget';
  const others = pod.status?.conditions?.filter(condition => condition.type !== type) ?? [];
  const condition = {
    type,
    status: 'True' as const,
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
    lastTransitionTime: timestamp(now),
  };
  pod.status = { ...pod.status, conditions: [...others, condition] };
}
