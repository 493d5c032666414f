/** When each pod of a name's prefix was seen first, was Ready and was gone, by one watch. */
import type { WatchEvent } from './api-client.js';

export interface PodTimes {
  added: number;
  ready: number | undefined;
  gone: number | undefined;
}

export class Observed {
  readonly #times = new Map<string, PodTimes>();
  /** Failures that a pod reported on its way. */
  readonly troubles = new Map<string, string>();
  #look: () => void = () => {};

  see({ type, pod, at }: WatchEvent): void {
    const times = this.#times.get(pod.metadata.name) ?? { added: at, ready: undefined, gone: undefined };
    this.#times.set(pod.metadata.name, times);
    if (type === 'DELETED') times.gone ??= at;
    else if (pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'))
      times.ready ??= at;
    this.#note(pod);
    this.#look();
  }

  get(name: string): PodTimes | undefined {
    return this.#times.get(name);
  }

  of(names: readonly string[]): PodTimes[] {
    return names.map(name => this.#times.get(name)).filter(times => times !== undefined);
  }

  /** Resolves when each name has what is asked for; rejects after `timeoutMs`. */
  until(names: readonly string[], what: 'ready' | 'gone', timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const missing = () => names.filter(name => this.#times.get(name)?.[what] === undefined);
      const timer = setTimeout(() => {
        reject(
          new Error(
            `${missing().length} of ${names.length} pods are not ${what} after ${timeoutMs} ms, ${missing()[0]} among them. Troubles: ${[...this.troubles.values()].slice(0, 3).join('; ') || 'none'}`,
          ),
        );
      }, timeoutMs);
      this.#look = () => {
        if (missing().length > 0) return;
        clearTimeout(timer);
        this.#look = () => {};
        resolve();
      };
      this.#look();
    });
  }

  #note(pod: WatchEvent['pod']): void {
    if (pod.metadata.deletionTimestamp) return;
    for (const { restartCount, state } of pod.status?.containerStatuses ?? []) {
      const reason = state?.waiting?.reason;
      if (restartCount > 0) this.troubles.set(pod.metadata.name, `${pod.metadata.name} was restarted`);
      if (reason && reason !== 'ContainerCreating' && reason !== 'PodInitializing')
        this.troubles.set(pod.metadata.name, `${pod.metadata.name}: ${reason}: ${state.waiting?.message ?? ''}`);
    }
    if (pod.status?.phase === 'Failed')
      this.troubles.set(pod.metadata.name, `${pod.metadata.name} failed: ${pod.status.message ?? ''}`);
  }
}
