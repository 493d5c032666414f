/** `maxSurge: 25%`, `maxUnavailable: 3`: a number, or a share of some total. */

/** @param value valid by the API; absent counts as 0 */
export function resolveIntOrPercent(value: number | string | undefined, total: number, round: 'up' | 'down'): number {
  if (value === undefined) return 0;
  if (typeof value === 'number') return value;
  // whole numbers first: 29 % of 100 is 28.999… in floating point
  const hundredths = Number.parseInt(value, 10) * total;
  return round === 'up' ? Math.ceil(hundredths / 100) : Math.floor(hundredths / 100);
}
