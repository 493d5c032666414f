/** Keeps a backend at what Services and slices say: changes that come together go together, one transaction at a time. */
import { backoffDelay } from '../../src/base/backoff.js';
import { describe } from '../../src/base/errors.js';
import type { Logger } from '../../src/base/log.js';
import type { KubeObject } from '../../src/kube/meta.js';
import type { NodeFacts, ProxyBackend } from './contract.js';
import type { HealthServers } from './health.js';
import { ProxyState } from './state.js';

/** Changes within this time share a transaction. */
const gatherMs = 2;
/** How often the kernel is asked whether our rules are still there. */
const checkMs = 1000;
const retry = { initialMs: 100, maxMs: 10_000, factor: 2 } as const;

export interface ProxyOptions {
  readonly backend: ProxyBackend;
  readonly node: NodeFacts;
  readonly health: HealthServers;
  readonly log: Logger;
}

export class ServiceProxy {
  readonly state: ProxyState;
  readonly #options: ProxyOptions;
  /** The kernel may hold anything: the whole table goes next. */
  #whole = true;
  #known = false;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #closed = false;
  readonly #checks: NodeJS.Timeout;
  #watch: { close(): void } | undefined;

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.state = new ProxyState(options.node);
    this.#checks = setInterval(() => this.#check(), checkMs);
    this.#watch = options.backend.watch?.(() => this.#check());
  }

  /** Everything that there is. Until the first call the kernel keeps what an earlier process left. */
  sync(objects: readonly KubeObject[]): void {
    this.state.sync(objects);
    this.#known = true;
    this.#soon(gatherMs);
  }

  put(object: KubeObject): void {
    this.state.put(object);
    if (this.state.isDirty) this.#soon(gatherMs);
  }

  gone(kind: string, uid: string, key: string): void {
    this.state.remove(kind, uid, key);
    if (this.state.isDirty) this.#soon(gatherMs);
  }

  setNode(node: NodeFacts): void {
    this.state.setNode(node);
    if (this.state.isDirty) this.#soon(gatherMs);
  }

  /** Resolves when everything known so far is in the kernel, or could not be put there. */
  async settled(): Promise<void> {
    while (this.#known && (this.#timer || this.#running) && this.#failures === 0)
      await (this.#running ?? new Promise(resolve => setTimeout(resolve, gatherMs)));
  }

  /** @param remove takes all rules away; else they stay for the next process */
  async close(remove: boolean): Promise<void> {
    this.#closed = true;
    clearInterval(this.#checks);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#watch?.close();
    await this.#running;
    await this.#options.health.close();
    if (remove) await this.#options.backend.cleanup();
    await this.#options.backend.close?.();
  }

  #soon(delayMs: number): void {
    if (this.#closed || !this.#known || this.#timer || this.#running) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#running = this.#apply().finally(() => {
        this.#running = undefined;
        if (this.#failures > 0) this.#soon(backoffDelay(retry, this.#failures));
        else if (this.state.isDirty || this.#whole) this.#soon(0);
      });
    }, delayMs);
  }

  async #apply(): Promise<void> {
    const { backend, health, log } = this.#options;
    const difference = this.state.take();
    try {
      const { added, changed, removed } = difference;
      if (this.#whole) await backend.sync(this.state.table);
      else if (added.length + changed.length + removed.length > 0) await backend.apply(difference, this.state.table);
      this.#whole = false;
      this.#failures = 0;
    } catch (error) {
      this.#whole = true;
      this.#failures++;
      log.error(
        { error: describe(error), mode: backend.name },
        'Services could not be applied: tried again as a whole',
      );
    }
    health.set(this.state.health);
  }

  /** Somebody may have flushed the rules of this machine. */
  #check(): void {
    if (this.#closed || this.#running || this.#timer || this.#whole) return;
    const { backend, log } = this.#options;
    this.#running = backend
      .intact()
      .then(
        intact => {
          if (intact) return;
          log.warn({ mode: backend.name }, 'somebody changed the rules of the Services: restored');
          this.#whole = true;
        },
        (error: unknown) => log.debug({ error: describe(error) }, 'the rules of the Services cannot be looked at'),
      )
      .finally(() => {
        this.#running = undefined;
        if (this.#whole || this.state.isDirty) this.#soon(0);
      });
  }
}
