/** Puts together what keeps a node in order: pressure, the collection of images, and its end. */
import { join } from 'node:path';
import type { Logger } from '../../src/base/log.js';
import type { Pod } from '../../src/kube/pod.js';
import type { Rejection } from '../admission/admit.js';
import type { ResourceOptions } from '../admission/supply.js';
import type { Chore } from '../chores.js';
import type { ImageStore } from '../images/contract.js';
import type { PodWorker } from '../pods/worker.js';
import { NodeShutdown } from '../shutdown.js';
import { Collector, imageGcMs } from './collector.js';
import { memoryEveryMs, PressureKeeper } from './keeper.js';
import { refusedByPressure } from './refuse.js';

export interface KeepingOptions {
  readonly resources: ResourceOptions;
  readonly dataDir: string;
  readonly nodeName: string;
  readonly images: ImageStore;
  readonly workers: () => Iterable<PodWorker>;
  readonly log: Logger;
  /** What the node says of itself is something else now. */
  readonly onChange: () => void;
  readonly podEvent: (pod: Pod, reason: string, message: string) => void;
  readonly nodeEvent: (type: 'Normal' | 'Warning', reason: string, message: string) => void;
}

export interface Keeping {
  readonly pressure: PressureKeeper;
  readonly shutdown: NodeShutdown;
  readonly refuses: (pod: Pod) => Rejection | undefined;
  readonly chores: readonly Chore[];
}

export function keeping(options: KeepingOptions): Keeping {
  const { resources, dataDir, nodeEvent, onChange } = options;
  const collector = new Collector({
    ...options,
    gc: resources.imageGc,
    imageDirectory: join(dataDir, 'images'),
    warn: (reason, message) => nodeEvent('Warning', reason, message),
  });
  const pressure = new PressureKeeper({
    ...options,
    eviction: resources.eviction,
    collect: () => collector.everything(),
  });
  const shutdown = new NodeShutdown({ ...options, shutdown: resources.shutdown, onBegin: onChange });
  return {
    pressure,
    shutdown,
    refuses: pod => shutdown.refused() ?? refusedByPressure(pod, pressure.conditions),
    chores: [
      { what: 'pressure', everyMs: () => memoryEveryMs, run: () => pressure.run() },
      { what: 'image collection', everyMs: () => imageGcMs, run: () => collector.run() },
    ],
  };
}
