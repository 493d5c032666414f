/** metrics.k8s.io/v1beta1: what `kubectl top` asks for. Nothing is stored: the nodes' latest reports are shown. */
import { ageColumn, column, nameColumn } from '../columns.js';
import type { AnyObject, Kind } from '../kind.js';

const shared = { group: 'metrics.k8s.io', version: 'v1beta1', singular: '', verbs: ['get', 'list'] } as const;

export const nodeMetrics: Kind = {
  ...shared,
  kind: 'NodeMetrics',
  plural: 'nodes',
  namespaced: false,
  type: 'metrics.v1beta1.NodeMetrics',
  description: 'NodeMetrics says what a node uses.',
  columns: [
    nameColumn,
    column('cpu', object => usage(object, 'cpu')),
    column('memory', object => usage(object, 'memory')),
    column('window', object => String(object.window)),
  ],
  live: ({ engine, usage: book }) => book.nodes(engine.view),
};

export const podMetrics: Kind = {
  ...shared,
  kind: 'PodMetrics',
  plural: 'pods',
  namespaced: true,
  type: 'metrics.v1beta1.PodMetrics',
  description: 'PodMetrics says what the containers of a pod use.',
  columns: [nameColumn, ageColumn],
  live: ({ engine, usage: book }, namespace) => book.pods(engine.view, namespace),
};

const usage = (object: AnyObject, name: string): string =>
  (object.usage as Record<string, string> | undefined)?.[name] ?? '';
