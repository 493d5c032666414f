/** Which container of a pod a log, exec or attach request means, and whether it can be had. Pure. */
import type { ContainerStatus, Pod } from '../kube/pod.js';
import type { StatusError } from '../kube/status.js';
import { badRequest, internal } from './errors.js';

const defaultAnnotation = 'kubectl.kubernetes.io/default-container';

/** Throws StatusError 400. */
export function chooseContainer(pod: Pod, asked: string | null): string {
  const { name } = pod.metadata;
  const main = pod.spec.containers.map(container => container.name);
  const init = (pod.spec.initContainers ?? []).map(container => container.name);
  const ephemeral = (pod.spec.ephemeralContainers ?? []).map(container => container.name);
  if (asked) {
    if ([...main, ...init, ...ephemeral].includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${name}`);
  }
  const preferred = pod.metadata.annotations?.[defaultAnnotation];
  if (preferred && main.includes(preferred)) return preferred;
  if (main.length === 1) return main[0]!;
  const initText = init.length > 0 ? ` or one of the init containers: [${init.join(' ')}]` : '';
  throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${main.join(' ')}]${initText}`);
}

function statusOfContainer({ status }: Pod, container: string): ContainerStatus | undefined {
  return [
    ...(status?.containerStatuses ?? []),
    ...(status?.initContainerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ].find(({ name }) => name === container);
}

/** Why there is no log to show, if so. */
export function logProblem(pod: Pod, container: string, previous: boolean): StatusError | undefined {
  const status = statusOfContainer(pod, container);
  const where = `container ${JSON.stringify(container)} in pod ${JSON.stringify(pod.metadata.name)}`;
  if (previous) return status?.lastState?.terminated ? undefined : badRequest(`previous terminated ${where} not found`);
  const { waiting, running, terminated } = status?.state ?? {};
  if (running || terminated || status?.lastState?.terminated) return undefined;
  if (!status) return badRequest(`${where} is not available`);
  return badRequest(`${where} is waiting to start: ${waiting?.reason ?? 'ContainerCreating'}`);
}

/** Why nothing can run in it, if so. */
export function execProblem(pod: Pod, container: string, deed: 'exec into' | 'attach to'): StatusError | undefined {
  const { phase } = pod.status ?? {};
  if (phase === 'Succeeded' || phase === 'Failed')
    return badRequest(`cannot ${deed} a container in a completed pod; current phase is ${phase}`);
  if (!pod.spec.nodeName) return badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  if (!statusOfContainer(pod, container)?.state?.running)
    return internal(`unable to upgrade connection: container not found (${JSON.stringify(container)})`);
  return undefined;
}
