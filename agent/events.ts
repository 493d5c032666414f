/** Events as kubelet sends them: one object per (pod, reason, message), counted up while it repeats. */
import { createHash } from 'node:crypto';
import type { KubeObject } from '../src/kube/meta.js';
import type { KubeEvent } from '../src/kube/node.js';

/** Bound on remembered events, so that a node that runs for years does not grow. */
const maxRemembered = 2000;

/**
 * Events wait this long: what they tell of is then reported before them, and those of one moment share a transaction of the
 * store, which would otherwise be busy with an event when the status arrives.
 */
const holdMs = 100;

interface Remembered {
  readonly first: string;
  count: number;
}

export class EventRecorder {
  readonly #seen = new Map<string, Remembered>();
  /** Newest state of each event since the last sending. */
  readonly #held = new Map<string, KubeEvent>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly node: string,
    readonly now: () => number,
    readonly send: (key: string, event: KubeEvent) => void,
  ) {}

  record(about: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string, fieldPath?: string): void {
    const { namespace, name, uid, resourceVersion } = about.metadata;
    const key = createHash('sha256')
      .update(JSON.stringify([uid, fieldPath, type, reason, message]))
      .digest('hex')
      .slice(0, 16);
    const at = `${new Date(this.now()).toISOString().slice(0, 19)}Z`;
    const seen = this.#seen.get(key) ?? { first: at, count: 0 };
    seen.count++;
    this.#seen.delete(key);
    this.#seen.set(key, seen);
    if (this.#seen.size > maxRemembered) this.#seen.delete(this.#seen.keys().next().value as string);
    this.#hold(key, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: eventName(name, key), namespace: namespace ?? 'default' },
      involvedObject: {
        kind: about.kind,
        apiVersion: about.apiVersion,
        ...(namespace && { namespace }),
        name,
        ...(uid && { uid }),
        ...(resourceVersion && { resourceVersion }),
        ...(fieldPath && { fieldPath }),
      },
      type,
      reason,
      message: message.slice(0, 1024),
      source: { component: 'kubelet', host: this.node },
      firstTimestamp: seen.first,
      lastTimestamp: at,
      count: seen.count,
      reportingComponent: 'kubelet',
      reportingInstance: this.node,
    });
  }

  /** Sends what is held, now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [key, event] of this.#held) this.send(key, event);
    this.#held.clear();
  }

  #hold(key: string, event: KubeEvent): void {
    this.#held.set(key, event);
    this.#timer ??= setTimeout(() => this.flush(), holdMs);
  }
}

/** Of an object whose name leaves no room behind it, the beginning; at most 253 characters. */
const eventName = (name: string, key: string): string =>
  `${name.slice(0, 253 - key.length - 1).replace(/[-.]+$/, '')}.${key}`;
