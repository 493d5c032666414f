/** What may be under way at once: neighbouring deletions, and neighbouring creations ever more of them. */
import type { Action, Refusal } from './contract.js';

export type Creation = Extract<Action, { do: 'create' }>;

export type Group =
  | { readonly do: 'create'; readonly actions: readonly Creation[] }
  | { readonly do: 'other'; readonly actions: readonly Action[] };

/** So many writes are under way at once: the store puts them into one transaction. */
const largestBatch = 250;

/** Neighbouring creations together, neighbouring deletions together, everything else one after the other. */
export function groupsOf(actions: readonly Action[]): Group[] {
  const result: { do: 'create' | 'other'; actions: Action[] }[] = [];
  for (const action of actions) {
    const last = result.at(-1)?.actions;
    const joins =
      last?.[0]?.do === action.do && (action.do === 'create' || (action.do === 'delete' && last.length < largestBatch));
    if (joins) last.push(action);
    else result.push({ do: action.do === 'create' ? 'create' : 'other', actions: [action] });
  }
  return result as Group[];
}

/**
 * One, then two, four, eight at a time, and no more after a refusal: a template that can never be admitted fails once, not
 * a thousand times (Kubernetes' ReplicaSet controller: "slow start").
 * @param create resolves with the refusal, if it was refused; what it throws is thrown after the batch has ended
 */
export async function slowStart(
  creations: readonly Creation[],
  create: (creation: Creation) => Promise<Refusal | undefined>,
): Promise<Refusal | undefined> {
  let size = 1;
  for (let from = 0; from < creations.length; ) {
    // nothing of a batch may be left behind when the run ends
    const results = await Promise.allSettled(creations.slice(from, from + size).map(create));
    from += size;
    size = Math.min(2 * size, largestBatch);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    const refused = results.find(result => result.status === 'fulfilled' && result.value !== undefined);
    if (refused?.status === 'fulfilled') return refused.value;
  }
  return undefined;
}
