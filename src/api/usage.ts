/** What nodes last said of their usage: the source of metrics.k8s.io. Kept in memory, one report a node. */
import type { NodeStats } from '../link/frames.js';
import type { AnyObject } from './kind.js';
import type { View } from './view.js';

/** A report older than this says nothing about now. */
const staleMs = 60_000;

export class UsageBook {
  readonly #latest = new Map<string, { readonly stats: NodeStats; readonly seenMs: number }>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  take(node: string, stats: NodeStats): void {
    this.#latest.set(node, { stats, seenMs: this.#now() });
  }

  /** Objects of metrics.k8s.io/v1beta1 NodeMetrics. */
  nodes(view: View): AnyObject[] {
    return this.#fresh().flatMap(([name, stats]) => {
      const node = view.get('Node', undefined, name);
      if (!node) return [];
      const usage = usageOf(stats.cpuCores, stats.memoryWorkingSetBytes);
      return [{ ...head('NodeMetrics', node), ...window(stats), usage } as unknown as AnyObject];
    });
  }

  /** PodMetrics of pods that still are the ones reported on. */
  pods(view: View, namespace: string | undefined): AnyObject[] {
    return this.#fresh().flatMap(([, stats]) =>
      stats.pods.flatMap(one => {
        const pod = view.get('Pod', one.namespace, one.name);
        if (pod?.metadata.uid !== one.uid || (namespace !== undefined && one.namespace !== namespace)) return [];
        const containers = one.containers.map(({ name, cpuCores, memoryWorkingSetBytes }) => ({
          name,
          usage: usageOf(cpuCores, memoryWorkingSetBytes),
        }));
        return [{ ...head('PodMetrics', pod), ...window(stats), containers } as unknown as AnyObject];
      }),
    );
  }

  #fresh(): [string, NodeStats][] {
    const oldest = this.#now() - staleMs;
    return [...this.#latest].filter(([, { seenMs }]) => seenMs >= oldest).map(([node, { stats }]) => [node, stats]);
  }
}

/** What the kernel cannot tell (-1) counts as nothing: clients expect both names. */
const usageOf = (cores: number, bytes: number) => ({
  cpu: `${Math.max(0, Math.round(cores * 1e9))}n`,
  memory: `${Math.max(0, Math.round(bytes / 1024))}Ki`,
});

const window = ({ time }: NodeStats) => ({ timestamp: time, window: '10s' });

const head = (kind: string, { metadata: { name, namespace, labels, creationTimestamp } }: AnyObject) => ({
  kind,
  apiVersion: 'metrics.k8s.io/v1beta1',
  metadata: { name, ...(namespace && { namespace }), ...(labels && { labels }), creationTimestamp },
});
