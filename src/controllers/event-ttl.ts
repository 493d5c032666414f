/** Events are forgotten an hour after they were last seen. One key: the sweep. */
import type { KubeEvent } from '../kube/node.js';
import { parseTime } from '../kube/time.js';
import { type Controller, type Facts, type Outcome, targetOf } from './contract.js';

export const ttlMs = 60 * 60 * 1000;
const sweepMs = 60_000;
/** Per sweep, so that one run stays short. */
const batch = 500;

export const eventTtlController: Controller = {
  name: 'event-ttl',
  wakes: [],
  startKeys: ['sweep'],
  writes: ['deletes old Events'],
  reconcile,
};

function reconcile({ view, now }: Facts): Outcome {
  const old = (view.list('Event') as unknown as KubeEvent[]).filter(event => lastSeen(event) + ttlMs <= now);
  const actions = old.slice(0, batch).map(event => ({ do: 'delete' as const, target: targetOf(event) }));
  return { actions, requeueAfterMs: old.length > batch ? 100 : sweepMs };
}

/** The newest time that the event carries, in milliseconds since 1970. */
function lastSeen(event: KubeEvent): number {
  const times = [event.lastTimestamp, event.eventTime, event.metadata.creationTimestamp];
  return Math.max(0, ...times.map(text => (text ? (parseTime(text) ?? 0) : 0)));
}
