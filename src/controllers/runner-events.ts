/**
 * Sends the events of one controller. They are a courtesy: nothing waits for them, and their failures are only logged. What
 * is said again is counted up, and about one object not much is said: 25 events at once, then one every five minutes
 * (as Kubernetes' event recorder does), or a Deployment of 5,000 pods would write 10,000 events.
 */
import type { ApiClient } from '../api/client.js';
import { describe } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import { StatusError } from '../kube/status.js';
import { timestamp } from '../kube/time.js';
import type { Action, Tell } from './contract.js';

type Event = Omit<Extract<Action, { do: 'event' }>, 'do'>;

export interface TellerEdge {
  readonly client: ApiClient;
  readonly log: Logger;
  readonly now: () => number;
}

const burst = 25;
const refillMs = 300_000;
/** So many objects and texts are remembered; the oldest are forgotten first. */
const memory = 4096;

export class Teller {
  readonly #component: string;
  readonly #edge: TellerEdge;
  readonly #budgets = new Map<string, { left: number; at: number }>();
  readonly #said = new Map<string, { name: string; count: number }>();
  readonly #pending = new Set<Promise<void>>();

  constructor(component: string, edge: TellerEdge) {
    this.#component = component;
    this.#edge = edge;
  }

  done(tell: Tell | undefined): void {
    if (tell?.done) this.send({ about: tell.about, type: 'Normal', ...tell.done });
  }

  failed(tell: Tell | undefined, error: unknown): void {
    if (!tell?.failed) return;
    const { reason, message } = tell.failed;
    this.send({ about: tell.about, type: 'Warning', reason, message: `${message}: ${describe(error)}` });
  }

  send(event: Event): void {
    if (!this.#mayTell(event)) return;
    const sending = this.#write(event).catch(error =>
      this.#edge.log.debug({ event: event.reason, error: describe(error) }, 'event not recorded'),
    );
    this.#pending.add(sending);
    void sending.finally(() => this.#pending.delete(sending));
  }

  /** Resolves when everything under way has ended. */
  async close(): Promise<void> {
    await Promise.all(this.#pending);
  }

  #mayTell({ about }: Event): boolean {
    const now = this.#edge.now();
    const key = about.uid ?? `${about.kind}/${about.namespace}/${about.name}`;
    const { left, at } = this.#budgets.get(key) ?? { left: burst, at: now };
    const filled = Math.min(burst, left + (now - at) / refillMs);
    if (filled < 1) return false;
    remember(this.#budgets, key, { left: filled - 1, at: now });
    return true;
  }

  async #write({ about, type, reason, message }: Event): Promise<void> {
    const key = JSON.stringify([about.uid, about.kind, about.namespace, about.name, type, reason, message]);
    if (await this.#countUp(key, about.namespace)) return;
    const { client } = this.#edge;
    const { object } = await client.event(this.#component, about, type, reason, message);
    remember(this.#said, key, { name: object.metadata.name, count: 1 });
  }

  /** False: it has not been said before, or the Event has expired. */
  async #countUp(key: string, namespace = 'default'): Promise<boolean> {
    const said = this.#said.get(key);
    if (!said) return false;
    said.count++;
    const patch = { count: said.count, lastTimestamp: timestamp(this.#edge.now()) };
    try {
      await this.#edge.client.patch('Event', { namespace, name: said.name }, patch);
      return true;
    } catch (error) {
      if (error instanceof StatusError && error.code === 404) return false;
      throw error;
    }
  }
}

function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > memory) map.delete(map.keys().next().value!);
}
