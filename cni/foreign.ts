/**
 * Pods on a network of foreign plugins: every ADD goes down the chain of a conflist, every DEL up again, each plugin given
 * what the ones before it made (CNI spec, section 3). What they made is kept in a file per container for its DEL.
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { netlink } from '../native/index.js';
import { writeFileAtomic } from '../src/base/atomic-file.js';
import type { ConfList, PluginConf } from './conf-list.js';
import { type Attachment, type BridgeNetwork, CniError, type CniResult } from './contract.js';
import { type PluginCall, runPlugin } from './run.js';

export interface ForeignConfig {
  readonly list: ConfList;
  readonly binDirs: readonly string[];
  /** Folder for what plugins have made. */
  readonly dataDir: string;
  readonly timeoutMs: number;
}

/** What is kept for DEL. */
interface Kept {
  readonly ifName: string;
  readonly runtime: Readonly<Record<string, unknown>>;
  readonly result?: CniResult;
}

export class ForeignNetwork implements BridgeNetwork {
  readonly #config: ForeignConfig;
  readonly #folder: string;

  constructor(config: ForeignConfig) {
    this.#config = config;
    this.#folder = join(config.dataDir, 'results');
  }

  async setup(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
  }

  async add(attachment: Attachment): Promise<CniResult> {
    const { containerID, ifName, netns } = attachment;
    const kept: Kept = { ifName, runtime: runtimeOf(attachment) };
    // before anything is made: what a crash leaves is taken back at the next start
    await this.#keep(containerID, kept);
    await netlink(netns, [{ op: 'link.set', name: 'lo', up: true }]);
    try {
      const result = await this.#chain(attachment, kept);
      await this.#keep(containerID, { ...kept, result });
      return result;
    } catch (error) {
      await this.#release(containerID, kept, netns).catch(() => {});
      throw error;
    }
  }

  async #chain(attachment: Attachment, kept: Kept): Promise<CniResult> {
    let result: CniResult | undefined;
    for (const plugin of this.#config.list.plugins) {
      const answer = await this.#run('ADD', plugin, attachment, kept.runtime, result);
      if (answer !== undefined) result = answer as CniResult;
    }
    const { name } = this.#config.list;
    const address = result?.ips?.[0]?.address;
    if (!result || typeof address !== 'string')
      throw new CniError(100, `network "${name}" gave ${attachment.object} no address`, JSON.stringify(result ?? null));
    return result;
  }

  async del({ containerID }: Omit<Attachment, 'netns'>): Promise<void> {
    const kept = await this.#kept(containerID);
    if (kept) await this.#release(containerID, kept, '');
  }

  /** Everyone is asked, whoever fails; what was made is forgotten only if none has. */
  async #release(containerID: string, { ifName, runtime, result }: Kept, netns: string): Promise<void> {
    const attachment = { containerID, ifName, netns, object: containerID };
    const errors: unknown[] = [];
    for (const plugin of [...this.#config.list.plugins].reverse())
      await this.#run('DEL', plugin, attachment, runtime, result).catch((error: unknown) => errors.push(error));
    if (errors.length > 0) throw errors[0];
    await rm(join(this.#folder, containerID), { force: true });
  }

  async gc(valid: ReadonlySet<string>): Promise<void> {
    for (const id of await readdir(this.#folder))
      if (!valid.has(id)) await this.del({ containerID: id, ifName: 'eth0', object: id }).catch(() => {});
    if (!isAtLeast(this.#config.list.cniVersion, 1, 1)) return;
    const attachments = [...valid].map(containerID => ({ containerID, ifname: 'eth0' }));
    for (const plugin of this.#config.list.plugins)
      await this.#call('GC', plugin, {}, { 'cni.dev/valid-attachments': attachments }).catch(() => {});
  }

  async check(): Promise<void> {}

  async teardown(): Promise<void> {
    await this.gc(new Set());
  }

  #run(
    command: PluginCall['command'],
    plugin: PluginConf,
    { containerID, ifName, netns, object }: Attachment,
    runtime: Kept['runtime'],
    prevResult: CniResult | undefined,
  ): Promise<unknown> {
    const capable = Object.entries(runtime).filter(([name]) => plugin.capabilities?.[name]);
    const environment = {
      CNI_CONTAINERID: containerID,
      CNI_NETNS: netns,
      CNI_IFNAME: ifName,
      CNI_ARGS: argumentsOf(object, containerID),
    };
    return this.#call(command, plugin, environment, {
      ...(capable.length > 0 && { runtimeConfig: Object.fromEntries(capable) }),
      ...(prevResult && { prevResult }),
    });
  }

  #call(command: PluginCall['command'], plugin: PluginConf, environment: Record<string, string>, more: object) {
    const { list, binDirs, timeoutMs } = this.#config;
    const { capabilities: _, ...own } = plugin;
    const config = { ...own, name: list.name, cniVersion: list.cniVersion, ...more };
    return runPlugin({ command, type: plugin.type, network: list.name, binDirs, environment, config, timeoutMs });
  }

  #keep(containerID: string, kept: Kept): Promise<void> {
    return writeFileAtomic(join(this.#folder, containerID), JSON.stringify(kept));
  }

  async #kept(containerID: string): Promise<Kept | undefined> {
    const text = await readFile(join(this.#folder, containerID), 'utf8').catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as Kept);
  }
}

/** By capability, as the conventions have them. */
function runtimeOf({ portMappings, bandwidth }: Attachment): Record<string, unknown> {
  const limit = (bits: number | undefined, way: string) =>
    bits ? { [`${way}Rate`]: bits, [`${way}Burst`]: 0x7fff_ffff } : {};
  return {
    ...(portMappings && { portMappings }),
    ...(bandwidth && {
      bandwidth: { ...limit(bandwidth.ingressBits, 'ingress'), ...limit(bandwidth.egressBits, 'egress') },
    }),
  };
}

/** `pod default/web` → what plugins that know Kubernetes look for. */
function argumentsOf(object: string, containerID: string): string {
  const [, namespace = '', name = ''] = /^pod ([^/]+)\/(.+)$/.exec(object) ?? [];
  const pod = name
    ? `;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name};K8S_POD_INFRA_CONTAINER_ID=${containerID}`
    : '';
  return `IgnoreUnknown=1${pod}`;
}

function isAtLeast(version: string, major: number, minor: number): boolean {
  const [a = 0, b = 0] = version.split('.').map(Number);
  return a > major || (a === major && b >= minor);
}
