/**
 * The pod network of this node, from before it has a range: the controller hands one out, which is kept in a file, so that
 * pods go on without a controller after a restart. Until then pods wait, and the node says that its network is not ready.
 */
import { readFileSync } from 'node:fs';
import { type Attachment, type BridgeNetwork, CniError, type CniResult } from '../../cni/contract.js';
import { writeFileAtomic } from '../../src/base/atomic-file.js';

export interface NodeNetworkOptions {
  /** Where the range is kept. */
  readonly file: string;
  /** From the flag: wins over everything. */
  readonly podCIDRs: readonly string[] | undefined;
  /** Instead of our own: a network of foreign plugins, or why it cannot be used. */
  readonly foreign: BridgeNetwork | Error | undefined;
  readonly make: (podCIDRs: readonly string[]) => BridgeNetwork;
  readonly onReady: () => void;
  /** A network of foreign plugins has its first pod: their bridge is made with it. */
  readonly onFirstPod: () => void;
}

/** A pod that starts at the same time as its node gets this long before it is told why it waits. */
const patienceMs = 5000;
const notReady = 'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:';

export class NodeNetwork implements BridgeNetwork {
  readonly #options: NodeNetworkOptions;
  #network: BridgeNetwork | undefined;
  #podCIDRs: readonly string[] = [];
  #why = 'Network plugin returns error: this node has no pod CIDR yet';
  #valid: ReadonlySet<string> | undefined;
  #resolveReady: () => void = () => {};
  readonly #ready = new Promise<void>(resolve => {
    this.#resolveReady = resolve;
  });
  #hasPods = false;
  #configuring: Promise<void> = Promise.resolve();

  constructor(options: NodeNetworkOptions) {
    this.#options = options;
  }

  /** Empty as long as there is none. */
  get podCIDRs(): readonly string[] {
    return this.#podCIDRs;
  }

  /** Why pods cannot be run now, in the words of a kubelet. */
  get problem(): string | undefined {
    return this.#network ? undefined : `${notReady}${this.#why}`;
  }

  /** What the flag or a former life says; the network stands when it resolves, if either says something. */
  async setup(): Promise<void> {
    const { foreign } = this.#options;
    if (foreign instanceof Error) this.#why = `Network plugin returns error: ${foreign.message}`;
    const known = this.#options.podCIDRs ?? savedRanges(this.#options.file);
    if (foreign && !(foreign instanceof Error)) await this.#use(foreign);
    if (known) await this.#take(known);
  }

  /** What the Node object says. One range for life: pods have addresses of it. Never rejects. */
  offer(podCIDRs: readonly string[]): Promise<void> {
    this.#configuring = this.#configuring.then(async () => {
      if (this.#podCIDRs.length > 0 || podCIDRs.length === 0) return;
      await this.#take(podCIDRs).catch((error: unknown) => {
        this.#why = `Network plugin returns error: ${error instanceof Error ? error.message : String(error)}`;
      });
    });
    return this.#configuring;
  }

  async #take(podCIDRs: readonly string[]): Promise<void> {
    if (!this.#options.foreign) await this.#use(this.#options.make(podCIDRs));
    await writeFileAtomic(this.#options.file, JSON.stringify({ podCIDRs }));
    this.#podCIDRs = podCIDRs;
    this.#options.onReady();
  }

  async #use(network: BridgeNetwork): Promise<void> {
    await network.setup();
    if (this.#valid) await network.gc(this.#valid);
    this.#network = network;
    this.#resolveReady();
  }

  async add(attachment: Attachment): Promise<CniResult> {
    if (!this.#network) await this.#wait();
    if (!this.#network) throw new CniError(11, 'network is not ready', this.problem);
    const result = await this.#network.add(attachment);
    if (this.#options.foreign && !this.#hasPods) this.#options.onFirstPod();
    this.#hasPods = true;
    return result;
  }

  async del(attachment: Omit<Attachment, 'netns'>): Promise<void> {
    await this.#network?.del(attachment);
  }

  async gc(valid: ReadonlySet<string>): Promise<void> {
    if (this.#network) return this.#network.gc(valid);
    this.#valid = valid;
  }

  async check(): Promise<void> {
    await this.#network?.check();
  }

  async teardown(): Promise<void> {
    await this.#network?.teardown();
  }

  async #wait(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>(resolve => {
      timer = setTimeout(resolve, patienceMs);
    });
    await Promise.race([this.#ready, over]);
    clearTimeout(timer);
  }
}

function savedRanges(file: string): readonly string[] | undefined {
  try {
    const { podCIDRs } = JSON.parse(readFileSync(file, 'utf8')) as { podCIDRs?: unknown };
    return Array.isArray(podCIDRs) && podCIDRs.length > 0 ? podCIDRs.map(String) : undefined;
  } catch {
    return undefined; // none yet, or unreadable: the Node object has it, too
  }
}
