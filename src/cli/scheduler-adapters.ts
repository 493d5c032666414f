/** The API's cache and client as the scheduler wants them, and its events, which must not be in the way of its bindings. */
import type { ApiClient } from '../api/client.js';
import type { AnyObject } from '../api/kind.js';
import type { ObjectView } from '../api/view.js';
import { describe } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import { type Condition, type ObjectReference, referenceTo } from '../kube/meta.js';
import type { Pod } from '../kube/pod.js';
import { StatusError } from '../kube/status.js';
import { timestamp } from '../kube/time.js';
import { followedKinds, type SchedulerView, type SchedulerWrites } from '../scheduler/contract.js';
import { selectedNode } from '../scheduler/filters/volumes.js';
import { disruptionTarget, preemptionReason } from '../scheduler/preempt.js';

export function schedulerView(view: ObjectView): SchedulerView {
  return {
    get: (kind, namespace, name) => view.get(kind, namespace, name),
    list: (kind, namespace) => view.list(kind, namespace),
    subscribe: listener =>
      view.subscribe(({ kind, object, previous, type }) => {
        if (followedKinds.has(kind)) listener({ kind, object, previous, deleted: type === 'DELETED' });
      }),
  };
}

interface Told {
  readonly about: ObjectReference;
  readonly component: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

const eventDelayMs = 100;
const eventsAtOnce = 50;
/** What is more is lost: events are for people. */
const maxWaitingEvents = 20_000;

/** Events go some at a time, and after what they tell of: they share transactions, and nobody waits for them. */
class Events {
  #waiting: Told[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly client: ApiClient,
    readonly log: Logger,
  ) {}

  add(pod: Pod, by: Pod, type: Told['type'], reason: string, message: string): void {
    if (this.#waiting.length >= maxWaitingEvents) return;
    const component = by.spec.schedulerName ?? 'default-scheduler';
    this.#waiting.push({ about: referenceTo(pod), component, type, reason, message });
    this.#timer ??= setTimeout(() => void this.#send(), eventDelayMs).unref();
  }

  async #send(): Promise<void> {
    const now = this.#waiting.splice(0, eventsAtOnce);
    const lost = (error: unknown) => this.log.debug({ error: describe(error) }, 'event lost');
    await Promise.all(
      now.map(({ component, about, type, reason, message }) =>
        this.client.event(component, about, type, reason, message).catch(lost),
      ),
    );
    this.#timer = this.#waiting.length > 0 ? setTimeout(() => void this.#send(), eventDelayMs).unref() : undefined;
  }
}

const targetOf = ({ metadata: { namespace = 'default', name, uid } }: Pod) => ({ namespace, name, uid });
const gone = (error: unknown): boolean =>
  error instanceof StatusError && (error.code === 404 || (error.code === 409 && error.message.includes('UID')));

export function schedulerWrites(client: ApiClient, log: Logger): SchedulerWrites {
  const events = new Events(client, log);
  const changeStatus = (pod: Pod, change: (status: Pod['status'] & object) => object): Promise<unknown> =>
    client.update(
      'Pod',
      targetOf(pod),
      old =>
        ({ ...old, status: change(((old as unknown as Pod).status ?? {}) as Pod['status'] & object) }) as AnyObject,
      'status',
    );
  return {
    bind: async (pod, node) => {
      const target = targetOf(pod);
      await client.bind(target, node);
      const message = `Successfully assigned ${target.namespace}/${target.name} to ${node}`;
      events.add(pod, pod, 'Normal', 'Scheduled', message);
    },
    unschedulable: async (pod, message, nominate) => {
      const before = pod.status?.conditions ?? [];
      const told = before.some(c => c.type === 'PodScheduled' && c.reason === 'Unschedulable' && c.message === message);
      // told once: it is asked again at every change that could help
      if (told && nominate === undefined) return;
      const condition = scheduledFalse('Unschedulable', message);
      await changeStatus(pod, status =>
        withNomination({ ...status, conditions: put(status.conditions, condition) }, nominate),
      );
      if (!told) events.add(pod, pod, 'Warning', 'FailedScheduling', message);
    },
    gated: async pod => {
      if (pod.status?.conditions?.some(({ reason }) => reason === 'SchedulingGated')) return;
      const condition = scheduledFalse('SchedulingGated', 'Scheduling is blocked due to non-empty scheduling gates');
      await changeStatus(pod, status => ({ ...status, conditions: put(status.conditions, condition) }));
    },
    selectNode: async ({ metadata: { namespace = 'default', name } }, node) => {
      const patch = { metadata: { annotations: { [selectedNode]: node } } };
      await client.patch('PersistentVolumeClaim', { namespace, name }, patch);
    },
    evict: async (victim, preemptor, node) => {
      const name = preemptor.spec.schedulerName ?? 'default-scheduler';
      const message = `${name}: preempting to accommodate a higher priority pod`;
      const condition: Condition = {
        type: disruptionTarget,
        status: 'True',
        reason: preemptionReason,
        message,
        lastProbeTime: null,
        lastTransitionTime: timestamp(Date.now()),
      };
      try {
        await changeStatus(victim, status => ({ ...status, conditions: put(status.conditions, condition) }));
        await client.delete('Pod', targetOf(victim));
      } catch (error) {
        if (!gone(error)) throw error;
        return;
      }
      const by = preemptor.metadata.uid ?? '';
      events.add(victim, preemptor, 'Normal', 'Preempted', `Preempted by pod ${by} on node ${node}`);
    },
    takeBackNomination: async pod => {
      await changeStatus(pod, status => withNomination(status, null));
    },
  };
}

function scheduledFalse(reason: string, message: string): Condition {
  return {
    type: 'PodScheduled',
    status: 'False',
    reason,
    message,
    lastProbeTime: null,
    lastTransitionTime: timestamp(Date.now()),
  };
}

/** A condition keeps the time of its last change of status. */
function put(conditions: readonly Condition[] = [], next: Condition): Condition[] {
  const before = conditions.find(({ type }) => type === next.type);
  const time = before?.status === next.status ? before.lastTransitionTime : undefined;
  return [...conditions.filter(item => item !== before), { ...next, ...(time && { lastTransitionTime: time }) }];
}

function withNomination<S extends object>(status: S, nominate: string | null | undefined): S {
  if (nominate === undefined) return status;
  const { nominatedNodeName: _, ...rest } = status as S & { nominatedNodeName?: string };
  return (nominate === null ? rest : { ...rest, nominatedNodeName: nominate }) as S;
}
