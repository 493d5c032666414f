/**
 * Cron expressions as CronJobs have them: five fields, names of months and days, `@daily` and its like, `@every 1h30m`.
 * What is wrong is said in the words of Kubernetes' parser (robfig/cron); the times come from croner, which knows daylight
 * saving. Pure.
 */
import { Cron } from 'croner';

const descriptors: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

interface FieldRange {
  readonly low: number;
  readonly high: number;
  readonly names: readonly string[];
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const fields: readonly FieldRange[] = [
  { low: 0, high: 59, names: [] },
  { low: 0, high: 23, names: [] },
  { low: 1, high: 31, names: [] },
  { low: 1, high: 12, names: months },
  { low: 0, high: 6, names: days },
];

/** Why the schedule cannot be read, or undefined. */
export function scheduleProblem(schedule: string): string | undefined {
  if (/TZ=/.test(schedule)) return 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead';
  if (schedule === '') return 'empty spec string';
  if (schedule.startsWith('@')) return descriptorProblem(schedule);
  const parts = schedule.trim().split(/\s+/);
  if (parts.length !== fields.length) return `expected exactly 5 fields, found ${parts.length}: [${parts.join(' ')}]`;
  for (const [i, part] of parts.entries())
    for (const range of part.split(',')) {
      const why = rangeProblem(range, fields[i]!);
      if (why) return why;
    }
  return undefined;
}

function descriptorProblem(schedule: string): string | undefined {
  if (Object.hasOwn(descriptors, schedule)) return undefined;
  if (!schedule.startsWith('@every ')) return `unrecognized descriptor: ${schedule}`;
  return everyMs(schedule) === undefined
    ? `failed to parse duration ${schedule}: time: invalid duration ${JSON.stringify(schedule.slice('@every '.length))}`
    : undefined;
}

/** `*`, `5`, `1-5`, each perhaps with `/step`. */
function rangeProblem(text: string, field: FieldRange): string | undefined {
  const [span = '', step, ...tooMany] = text.split('/');
  if (tooMany.length > 0) return `too many slashes: ${text}`;
  const [first = '', last, ...more] = span.split('-');
  if (more.length > 0) return `too many hyphens: ${text}`;
  const any = first === '*' || first === '?';
  if (any && last !== undefined)
    return `failed to parse int from ${first}: strconv.Atoi: parsing ${JSON.stringify(first)}: invalid syntax`;
  const start = any ? field.low : numberOf(first, field);
  if (typeof start === 'string') return start;
  const end = last !== undefined ? numberOf(last, field) : any || step !== undefined ? field.high : start;
  if (typeof end === 'string') return end;
  const every = step === undefined ? 1 : numberOf(step, { low: 0, high: 0, names: [] });
  if (typeof every === 'string') return every;
  if (start < field.low) return `beginning of range (${start}) below minimum (${field.low}): ${text}`;
  if (end > field.high) return `end of range (${end}) above maximum (${field.high}): ${text}`;
  if (start > end) return `beginning of range (${start}) beyond end of range (${end}): ${text}`;
  return every === 0 ? `step of range should be a positive number: ${text}` : undefined;
}

function numberOf(text: string, { names, low }: FieldRange): number | string {
  const named = names.indexOf(text.toLowerCase());
  if (named >= 0) return named + low;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  if (/^-\d+$/.test(text)) return `negative number (${text}) not allowed: ${text}`;
  return `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;
}

const unitsMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** The interval of `@every 1h30m`, at least a second and in whole seconds; undefined if it is none. */
function everyMs(schedule: string): number | undefined {
  const text = schedule.slice('@every '.length);
  if (!/^(\d{1,9}(\.\d{1,9})?(h|ms|m|s))+$/.test(text)) return undefined;
  const sum = [...text.matchAll(/([\d.]+)(h|ms|m|s)/g)].reduce(
    (total, [, count, unit]) => total + Number(count) * unitsMs[unit!]!,
    0,
  );
  return Math.max(1000, Math.floor(sum / 1000) * 1000);
}

/** Why the time zone is none, or undefined. */
export function timeZoneProblem(zone: string): string | undefined {
  if (zone === '') return 'timeZone must be nil or non-empty string';
  if (zone.toLowerCase() === 'local')
    return 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones';
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return undefined;
  } catch {
    return `unknown time zone ${zone}`;
  }
}

/**
 * The first time after `afterMs` (since 1970), or undefined if there is none; `@every` counts from `afterMs`. The schedule
 * and the zone are valid; without a zone it is UTC.
 */
export function nextTime(schedule: string, zone: string | undefined, afterMs: number): number | undefined {
  if (schedule.startsWith('@every ')) return Math.floor(afterMs / 1000) * 1000 + (everyMs(schedule) ?? 0);
  const pattern = (descriptors[schedule] ?? schedule).replaceAll('?', '*');
  const cron = new Cron(pattern, { timezone: zone ?? 'UTC', mode: '5-part', paused: true });
  return cron.nextRun(new Date(afterMs))?.getTime();
}
