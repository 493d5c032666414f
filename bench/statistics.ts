/** What the benches say of a list of figures. Pure. */

/** Nearest rank; `part` in [0, 1]. @throws RangeError for no values */
export function quantile(values: readonly number[], part: number): number {
  if (values.length === 0) throw new RangeError('Cannot take a quantile of no values.');
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);
