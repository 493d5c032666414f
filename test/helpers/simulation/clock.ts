/** A clock that jumps from one event to the next. Events of the same time run in the order in which they were asked for. */
interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export class Clock {
  /** Milliseconds since 1970. */
  now = 1_700_000_000_000;
  #order = 0;
  /** A binary heap. */
  readonly #events: Event[] = [];

  after(ms: number, run: () => void): void {
    const events = this.#events;
    events.push({ at: this.now + ms, order: this.#order++, run });
    for (let i = events.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!isBefore(events[i]!, events[parent]!)) return;
      [events[i], events[parent]] = [events[parent]!, events[i]!];
      i = parent;
    }
  }

  /** Runs the next event; false: there is none before that time. */
  step(until: number): boolean {
    const events = this.#events;
    const first = events[0];
    if (!first || first.at > until) return false;
    const last = events.pop()!;
    if (events.length > 0) this.#sink(last);
    this.now = first.at;
    first.run();
    return true;
  }

  #sink(event: Event): void {
    const events = this.#events;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= events.length) break;
      if (child + 1 < events.length && isBefore(events[child + 1]!, events[child]!)) child++;
      if (!isBefore(events[child]!, event)) break;
      events[i] = events[child]!;
      i = child;
    }
    events[i] = event;
  }
}

const isBefore = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);
