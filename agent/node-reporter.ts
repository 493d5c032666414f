/** Tells the controller about this node: the object with its measurements, and a heartbeat. */
import type { Logger } from '../src/base/log.js';
import type { NodeStatus, NodeSystemInfo } from '../src/kube/node.js';
import type { LinkClient } from '../src/link/client.js';
import type { Capacity } from './admission/capacity.js';
import type { Pressure } from './eviction/decide.js';
import type { ImageStore } from './images/contract.js';
import type { NodeNetworking } from './network/start.js';
import { nodeObject } from './node-object.js';

export interface NodeReporterOptions {
  readonly name: string;
  readonly networking: () => Pick<NodeNetworking, 'addresses' | 'podCIDRs' | 'problem'>;
  readonly capacity: () => Capacity;
  readonly labels: Readonly<Record<string, string>>;
  readonly info: NodeSystemInfo;
  readonly pressures: () => readonly Pressure[];
  /** Why pods cannot be run now, if so. */
  readonly notReady: () => string | undefined;
  readonly images: ImageStore;
  readonly link: () => LinkClient;
  readonly log: Logger;
}

export const heartbeatMs = 10_000;
/** A full status at least this often, even if nothing changed (reliability rule A11). */
const fullMs = 5 * 60_000;

export class NodeReporter {
  readonly #options: NodeReporterOptions;
  readonly #timers: NodeJS.Timeout[] = [];
  #previous: NodeStatus | undefined;

  constructor(options: NodeReporterOptions) {
    this.#options = options;
  }

  start(): void {
    const { link } = this.#options;
    const beat = (): void => link().report('heartbeat', { t: 'heartbeat' });
    beat();
    this.#timers.push(
      setInterval(beat, heartbeatMs),
      setInterval(() => void this.report(), fullMs),
    );
  }

  /** Measures and reports; never rejects. */
  async report(): Promise<void> {
    const { images, link, log } = this.#options;
    const list = await images.list().catch((error: unknown) => {
      log.warn({ error: String(error) }, 'images could not be listed');
      return [];
    });
    const { addresses, podCIDRs, problem } = this.#options.networking();
    const object = nodeObject({
      ...this.#options,
      addresses,
      podCIDRs,
      amounts: this.#options.capacity(),
      pressures: this.#options.pressures(),
      images: list.map(i => ({ names: [...i.references], sizeBytes: i.sizeBytes })),
      notReady: this.#options.notReady() ?? problem,
      previous: this.#previous?.conditions ?? [],
      now: Date.now(),
    });
    this.#previous = object.status;
    link().report('node', { t: 'node', node: object });
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }
}
