/** Follows Node objects: what changes within a few milliseconds is applied at once, one state after the other. */
import { familyOf } from '../../src/base/cidr.js';
import { describe } from '../../src/base/errors.js';
import type { Logger } from '../../src/base/log.js';
import type { Node } from '../../src/kube/node.js';
import { pathsTo, type Self } from './overlay.js';
import { applyPaths, type OverlaySettings, removePaths } from './overlay-links.js';

export interface OverlayKeeperOptions {
  readonly nodeName: string;
  /** Undefined as long as this node has no range. */
  readonly settings: () => OverlaySettings | undefined;
  /** All Nodes; undefined as long as they are not known: then nothing is taken away. */
  readonly nodes: () => readonly Node[] | undefined;
  readonly log: Logger;
  /** Words for people, once each as long as they stay true. */
  readonly onProblem: (words: string) => void;
}

const gatherMs = 20;
/** Somebody else may take a route away: seen within this time. */
const lookEveryMs = 10_000;

export class OverlayKeeper {
  readonly #options: OverlayKeeperOptions;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #told: readonly string[] = [];
  #closed = false;

  constructor(options: OverlayKeeperOptions) {
    this.#options = options;
  }

  /** Something of the Nodes, or of this one, has changed. */
  changed(delayMs = gatherMs): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#start(), delayMs);
  }

  async close(takeAway: boolean): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
    const settings = this.#options.settings();
    if (takeAway && settings && settings.mode !== 'none') await removePaths(settings);
  }

  #start(): void {
    this.#running = this.#running.then(() => this.#run()).then(() => this.changed(lookEveryMs));
  }

  async #run(): Promise<void> {
    const { settings, nodes, nodeName, log } = this.#options;
    const [now, known] = [settings(), nodes()];
    if (!now || !known || this.#closed) return;
    const self: Self = {
      name: nodeName,
      ...now,
      tunnelFamily: now.mode === 'vxlan' ? familyOf(now.address) : undefined,
    };
    const { paths, problems } = pathsTo(known, self);
    const failed = await applyPaths(now, paths).catch((error: unknown) => [describe(error)]);
    const all = now.mode === 'none' ? [] : [...problems, ...failed];
    for (const words of all.filter(one => !this.#told.includes(one))) {
      log.warn({ problem: words }, 'pods of another node cannot be reached');
      this.#options.onProblem(words);
    }
    this.#told = all;
  }
}
