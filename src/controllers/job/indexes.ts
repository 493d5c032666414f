/** Completion indexes of an Indexed Job, and their text form `1,3-5,7`. Pure. */
import type { Pod } from '../../kube/pod.js';

export const indexAnnotation = 'batch.kubernetes.io/job-completion-index';

/** Undefined for a pod that says none, or nonsense. */
export function indexOf({ metadata }: Pod): number | undefined {
  const text = metadata.annotations?.[indexAnnotation];
  return text !== undefined && /^(0|[1-9]\d{0,9})$/.test(text) ? Number(text) : undefined;
}

/** @param below indexes from there on do not count: the Job has been made smaller */
export function parseIndexes(text: string | undefined, below = Number.POSITIVE_INFINITY): Set<number> {
  const indexes = new Set<number>();
  for (const part of (text ?? '').split(',').filter(Boolean)) {
    const [first, last = first] = part.split('-').map(Number);
    for (let index = first!; index <= Math.min(last!, below - 1); index++) indexes.add(index);
  }
  return indexes;
}

/** Two neighbours are written with a comma, from three on as a range; the empty set is ''. */
export function indexesText(indexes: Iterable<number>): string {
  const runs: [number, number][] = [];
  for (const index of [...indexes].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last && last[1] === index - 1) last[1] = index;
    else runs.push([index, index]);
  }
  return runs
    .map(([first, last]) => (first === last ? `${first}` : `${first}${last === first + 1 ? ',' : '-'}${last}`))
    .join(',');
}
