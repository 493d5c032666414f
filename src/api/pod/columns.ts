/** How `kubectl get pods` shows a pod; the rules are printPod's of Kubernetes (kubernetes-wire §6). */
import type { ContainerStatus, Pod } from '../../kube/pod.js';
import { age, parseTime } from '../../kube/time.js';
import { ageColumn, column, nameColumn } from '../columns.js';
import type { AnyObject, Column } from '../kind.js';

const asPod = (object: AnyObject): Pod => object as unknown as Pod;
const orNone = (text: string | undefined): string => text || '<none>';

export const podColumns: readonly Column[] = [
  nameColumn,
  column('Ready', object => readyCount(asPod(object))),
  column('Status', object => podStatusText(asPod(object))),
  column('Restarts', (object, now) => restartText(asPod(object), now)),
  ageColumn,
  column('IP', object => orNone(asPod(object).status?.podIPs?.[0]?.ip ?? asPod(object).status?.podIP), 1),
  column('Node', object => orNone(asPod(object).spec.nodeName), 1),
  column('Nominated Node', object => orNone(asPod(object).status?.nominatedNodeName), 1),
  column('Readiness Gates', object => readinessGates(object), 1),
];

/** `1/2`: ready containers of all, sidecars included. */
export function readyCount({ spec, status }: Pod): string {
  const sidecars = (spec.initContainers ?? []).filter(isSidecar).map(container => container.name);
  const running = (item: ContainerStatus): boolean => item.ready && item.state?.running !== undefined;
  const ready = (status?.containerStatuses ?? []).filter(running).length;
  const readySidecars = (status?.initContainerStatuses ?? []).filter(
    item => sidecars.includes(item.name) && item.ready && item.started,
  ).length;
  return `${ready + readySidecars}/${spec.containers.length + sidecars.length}`;
}

const isSidecar = (container: { restartPolicy?: string }): boolean => container.restartPolicy === 'Always';

export function podStatusText(pod: Pod): string {
  const { status = {} } = pod;
  const gated = status.conditions?.some(({ type, reason }) => type === 'PodScheduled' && reason === 'SchedulingGated');
  const initial = gated ? 'SchedulingGated' : status.reason || status.phase || 'Unknown';
  const initText = initStatus(pod);
  let text = initText ?? containerStatus(pod, initial);
  if (!pod.metadata.deletionTimestamp) return text;
  if (status.reason === 'NodeLost') text = 'Unknown';
  else if (status.phase !== 'Succeeded' && status.phase !== 'Failed') text = 'Terminating';
  return text;
}

/** The first init container that is not done, if any. */
function initStatus({ spec, status = {} }: Pod): string | undefined {
  const list = status.initContainerStatuses ?? [];
  const sidecars = new Set((spec.initContainers ?? []).filter(isSidecar).map(container => container.name));
  for (const [i, item] of list.entries()) {
    const { terminated, waiting } = item.state ?? {};
    if (terminated && terminated.exitCode === 0) continue;
    if (sidecars.has(item.name) && item.started) continue;
    if (terminated)
      return terminated.reason
        ? `Init:${terminated.reason}`
        : terminated.signal
          ? `Init:Signal:${terminated.signal}`
          : `Init:ExitCode:${terminated.exitCode}`;
    if (waiting?.reason && waiting.reason !== 'PodInitializing') return `Init:${waiting.reason}`;
    return `Init:${i}/${spec.initContainers?.length ?? 0}`;
  }
  return undefined;
}

function containerStatus({ status = {} }: Pod, initial: string): string {
  let text = initial;
  let running = false;
  for (const item of [...(status.containerStatuses ?? [])].reverse()) {
    const { waiting, terminated } = item.state ?? {};
    if (waiting?.reason) text = waiting.reason;
    else if (terminated?.reason) text = terminated.reason;
    else if (terminated) text = terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`;
    else if (item.ready && item.state?.running) running = true;
  }
  if (text !== 'Completed' || !running) return text;
  return status.conditions?.some(condition => condition.type === 'Ready' && condition.status === 'True')
    ? 'Running'
    : 'NotReady';
}

function restartText({ spec, status = {} }: Pod, now: number): string {
  const sidecars = new Set((spec.initContainers ?? []).filter(isSidecar).map(container => container.name));
  const initDone = (status.containerStatuses ?? []).some(
    item => item.state?.running || item.state?.terminated || item.restartCount > 0,
  );
  const inits = (status.initContainerStatuses ?? []).filter(item => !initDone || sidecars.has(item.name));
  const counted = initDone
    ? [...inits, ...(status.containerStatuses ?? [])]
    : inits.length > 0
      ? inits
      : (status.containerStatuses ?? []);
  const restarts = counted.reduce((sum, item) => sum + item.restartCount, 0);
  const ends = counted.map(item => item.lastState?.terminated?.finishedAt).filter(time => time !== undefined);
  const last = ends.sort((a, b) => (parseTime(b) ?? 0) - (parseTime(a) ?? 0))[0];
  return restarts > 0 && last ? `${restarts} (${age(last, now)} ago)` : String(restarts);
}

function readinessGates(object: AnyObject): string {
  const pod = asPod(object);
  const gates = (pod.spec as { readinessGates?: { conditionType: string }[] }).readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  const met = gates.filter(gate =>
    pod.status?.conditions?.some(condition => condition.type === gate.conditionType && condition.status === 'True'),
  );
  return `${met.length}/${gates.length}`;
}

/** Finished pods are marked, so that clients can leave them out. */
export function podRowConditions(object: AnyObject): unknown[] {
  const phase = asPod(object).status?.phase;
  if (phase === 'Succeeded')
    return [{ type: 'Completed', status: 'True', reason: 'Succeeded', message: 'The pod has completed successfully.' }];
  return phase === 'Failed'
    ? [{ type: 'Completed', status: 'True', reason: 'Failed', message: 'The pod failed.' }]
    : [];
}
