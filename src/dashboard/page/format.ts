/** Numbers and times for people. Pure. */

/** As kubectl prints ages: 45s, 3m20s, 5h, 2d. */
export function age(from: string, now: number): string {
  const s = Math.max(0, Math.floor((now - Date.parse(from)) / 1000));
  if (Number.isNaN(s)) return '';
  if (s < 120) return `${s}s`;
  if (s < 600) return s % 60 === 0 ? `${s / 60}m` : `${Math.floor(s / 60)}m${s % 60}s`;
  if (s < 10_800) return `${Math.floor(s / 60)}m`;
  if (s < 172_800) return `${Math.floor(s / 3600)}h`;
  return `${Math.floor(s / 86_400)}d`;
}

export function bytes(value: number): string {
  if (value < 0) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const step = value <= 0 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  const scaled = value / 1024 ** step;
  return `${scaled >= 100 || step === 0 ? Math.round(scaled) : scaled.toFixed(1)} ${units[step]}`;
}

/** Cores as Kubernetes writes them: 250m, 1.5. */
export function cores(value: number): string {
  return value < 1 ? `${Math.round(value * 1000)}m` : value.toFixed(2);
}
