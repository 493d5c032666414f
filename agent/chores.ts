/** What a node does now and then, each at its own pace and never twice at once; a chore that fails is logged and comes again. */
import { describe } from '../src/base/errors.js';
import type { Logger } from '../src/base/log.js';

export interface Chore {
  readonly what: string;
  /** Milliseconds from the end of one turn to the next; asked each time. */
  readonly everyMs: () => number;
  readonly run: () => Promise<void>;
}

/** @returns stops them; a turn under way goes on to its end */
export function startChores(chores: readonly Chore[], log: Logger): () => void {
  const timers = new Map<Chore, NodeJS.Timeout>();
  let stopped = false;
  const plan = (chore: Chore): void => {
    if (!stopped)
      timers.set(
        chore,
        setTimeout(() => void turn(chore), chore.everyMs()),
      );
  };
  const turn = async (chore: Chore): Promise<void> => {
    await chore
      .run()
      .catch((error: unknown) => log.warn({ chore: chore.what, error: describe(error) }, 'a chore failed: done again'));
    plan(chore);
  };
  for (const chore of chores) plan(chore);
  return () => {
    stopped = true;
    for (const timer of timers.values()) clearTimeout(timer);
  };
}
