/** The page's knowledge: rows by key, newest usage, a short history per node for the charts. Changes only by messages. */
import type { EventRow, FeedMessage, NodeRow, PodRow, Usage } from '../rows.js';

export interface History {
  readonly times: number[];
  readonly cpu: number[];
  readonly memory: number[];
}

export interface PageState {
  readonly connection: 'connecting' | 'live' | 'lost' | 'refused';
  readonly reason: string;
  readonly cluster: string;
  readonly pods: ReadonlyMap<string, PodRow>;
  readonly nodes: ReadonlyMap<string, NodeRow>;
  readonly events: ReadonlyMap<string, EventRow>;
  readonly usage: Readonly<Record<string, Usage>>;
  readonly history: Readonly<Record<string, History>>;
}

export const emptyState: PageState = {
  connection: 'connecting',
  reason: '',
  cluster: '',
  pods: new Map(),
  nodes: new Map(),
  events: new Map(),
  usage: {},
  history: {},
};

/** Points of a chart: two minutes at one every two seconds. */
const historyLength = 60;
const shownEvents = 200;

/** Pure: the state after a message. */
export function reduce(state: PageState, message: FeedMessage, nowSeconds: number): PageState {
  switch (message.t) {
    case 'hello':
      return { ...emptyState, history: state.history, cluster: message.cluster, connection: 'live' };
    case 'rows':
      return {
        ...state,
        pods: merge(state.pods, message.pods, message.gone),
        nodes: merge(state.nodes, message.nodes, message.gone),
        events: newest(merge(state.events, message.events, message.gone)),
      };
    case 'usage':
      return {
        ...state,
        usage: { ...state.usage, ...message.pods, [`node/${message.node}`]: message.total },
        history: { ...state.history, [message.node]: extend(state.history[message.node], message.total, nowSeconds) },
      };
  }
}

function merge<R extends { key: string }>(
  rows: ReadonlyMap<string, R>,
  fresh: readonly R[] = [],
  gone: readonly string[] = [],
): ReadonlyMap<string, R> {
  if (fresh.length === 0 && !gone.some(key => rows.has(key))) return rows;
  const next = new Map(rows);
  for (const row of fresh) next.set(row.key, row);
  for (const key of gone) next.delete(key);
  return next;
}

function newest(events: ReadonlyMap<string, EventRow>): ReadonlyMap<string, EventRow> {
  if (events.size <= shownEvents) return events;
  return new Map([...events].sort(([, a], [, b]) => b.at.localeCompare(a.at)).slice(0, shownEvents));
}

function extend(history: History | undefined, total: Usage, time: number): History {
  const add = (list: readonly number[] | undefined, value: number) => [...(list ?? []), value].slice(-historyLength);
  return {
    times: add(history?.times, time),
    cpu: add(history?.cpu, total.cpuCores),
    memory: add(history?.memory, total.memoryBytes),
  };
}
