/** The change stream's fan-out, the same for every backend: first the past, then the present, in order, each once. */
import type { Change } from './contract.js';

type Listener = (changes: readonly Change[]) => void;

export class Feed {
  readonly #listeners = new Set<Listener>();

  /** Replays `past` to `listener`, then adds it. All in one go: nothing can be published in between. */
  add(past: readonly (readonly Change[])[], listener: Listener): { close(): void } {
    // its own function object, so that one listener may subscribe twice
    const own: Listener = changes => listener(changes);
    for (const changes of past) own(changes);
    this.#listeners.add(own);
    return { close: () => void this.#listeners.delete(own) };
  }

  publish(changes: readonly Change[]): void {
    for (const listener of [...this.#listeners]) if (this.#listeners.has(listener)) listener(changes);
  }
}
