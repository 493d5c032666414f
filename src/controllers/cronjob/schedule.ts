/** Which time of a schedule is due, and how many have been missed. Pure; times in milliseconds since 1970. */
import { nextTime } from '../../kube/cron.js';

export interface Due {
  /** The last time that has come; undefined if none has since `after`. */
  readonly at: number | undefined;
  /** How many have come; counting ends beyond `tooMany`. */
  readonly missed: number;
  /** The next time to come; undefined if there is none. */
  readonly next: number | undefined;
}

/** So many missed times make somebody wonder whether a clock is wrong. */
export const tooMany = 100;

/** @param after the last time that was dealt with */
export function dueOf(schedule: string, zone: string | undefined, after: number, now: number): Due {
  let at: number | undefined;
  let missed = 0;
  let time = nextTime(schedule, zone, after);
  while (time !== undefined && time <= now && missed <= tooMany) {
    at = time;
    missed++;
    time = nextTime(schedule, zone, time);
  }
  if (time === undefined || time > now) return { at, missed, next: time };
  const last = lastBefore(schedule, zone, { from: time, now });
  return { at: last, missed, next: nextTime(schedule, zone, last) };
}

/** Looks back from now, twice as far each time: years of missed minutes are not walked through. */
function lastBefore(schedule: string, zone: string | undefined, { from, now }: { from: number; now: number }): number {
  if (schedule.startsWith('@every ')) {
    const step = (nextTime(schedule, zone, from) ?? from + 1000) - from;
    return from + Math.floor((now - from) / step) * step;
  }
  for (let window = 60_000; window < now - from; window *= 2) {
    const found = lastIn(schedule, zone, now - window, now);
    if (found !== undefined) return found;
  }
  return lastIn(schedule, zone, from, now) ?? from;
}

function lastIn(schedule: string, zone: string | undefined, after: number, now: number): number | undefined {
  let last: number | undefined;
  for (
    let time = nextTime(schedule, zone, after);
    time !== undefined && time <= now;
    time = nextTime(schedule, zone, time)
  )
    last = time;
  return last;
}
