/** Makes room on the node's disk: images that nobody uses, and what ended containers have left. */
import { join } from 'node:path';
import { removeTrees } from '../../native/index.js';
import { describe } from '../../src/base/errors.js';
import type { Logger } from '../../src/base/log.js';
import type { ImageStore } from '../images/contract.js';
import { diskOf } from '../machine.js';
import { allContainers } from '../pods/facts.js';
import { attemptDirectory } from '../pods/paths.js';
import type { PodWorker } from '../pods/worker.js';
import { bytesToFree, collectable, enough, type ImageGcOptions, type ImageRecord, remember } from './image-gc.js';

/** As often as kubelet does. */
export const imageGcMs = 5 * 60_000;
const ended: ReadonlySet<string> = new Set(['Succeeded', 'Failed']);

export interface CollectorOptions {
  readonly gc: ImageGcOptions;
  readonly images: ImageStore;
  readonly imageDirectory: string;
  readonly workers: () => Iterable<PodWorker>;
  readonly log: Logger;
  /** An event of the node. */
  readonly warn: (reason: string, message: string) => void;
}

export class Collector {
  #known: ReadonlyMap<string, ImageRecord> = new Map();

  constructor(readonly of: CollectorOptions) {}

  /** The turn that comes by itself: above the high mark, down to the low one; and what is too old. */
  async run(): Promise<void> {
    const { gc, imageDirectory } = this.of;
    const now = Date.now();
    await this.look(now);
    const free = collectable([...this.#known.values()], now, gc.minimumAgeMs);
    if (gc.maximumAgeMs > 0)
      await this.#remove(free.filter(i => now - Math.max(i.lastUsedAt, i.detectedAt) > gc.maximumAgeMs));
    const disk = diskOf(imageDirectory);
    const wanted = bytesToFree({ capacity: disk.totalBytes, available: disk.availableBytes }, gc);
    if (wanted === 0) return;
    const freed = await this.#remove(enough(free, wanted));
    if (freed >= wanted) return;
    const said = `Attempted to free ${wanted} bytes, but only found ${freed} bytes eligible to free.`;
    this.of.warn('FreeDiskSpaceFailed', `Failed to garbage collect required amount of images. ${said}`);
  }

  /** All that can go, because the disk is short: images that nobody uses, whatever their age, and remains of ended pods. */
  async everything(): Promise<void> {
    const now = Date.now();
    await this.#removeRemains();
    await this.look(now);
    await this.#remove(collectable([...this.#known.values()], now, 0));
  }

  /** Which images are there, and which of them pods use. */
  async look(now: number): Promise<void> {
    const { images, workers } = this.of;
    const inUse = new Set<string>();
    for (const { pod, phase } of workers()) {
      if (ended.has(phase)) continue;
      for (const { image = '' } of allContainers(pod)) {
        const found = await images.find(image).catch(() => undefined);
        if (found) inUse.add(found.id);
      }
    }
    this.#known = remember(this.#known, await images.list(), inUse, now);
  }

  async #remove(chosen: readonly ImageRecord[]): Promise<number> {
    let freed = 0;
    for (const { id, sizeBytes } of chosen) {
      try {
        await this.of.images.remove(id);
        freed += sizeBytes;
        this.of.log.info({ image: id, sizeBytes }, 'image removed: nobody uses it, and the disk is short of room');
      } catch (error) {
        this.of.log.warn({ image: id, error: describe(error) }, 'image could not be removed');
      }
    }
    return freed;
  }

  /** Writable layers and logs of pods that have ended: their objects keep their status. */
  async #removeRemains(): Promise<void> {
    const paths = [...this.of.workers()]
      .filter(({ phase, facts }) => ended.has(phase) && facts.tornDown)
      .flatMap(({ pod, paths: of, facts }) => [
        ...allContainers(pod).flatMap(({ name }) =>
          Array.from({ length: facts.containers[name]?.nextAttempt ?? 0 }, (_, attempt) =>
            join(attemptDirectory(of, name, attempt), 'upper'),
          ),
        ),
        of.logs,
      ]);
    if (paths.length > 0) await removeTrees(paths);
  }
}
