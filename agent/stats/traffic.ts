/** What went over each pod's link since it was made: one dump of the node's links, whoever's plugins made them. */
import { type LinkInfo, netlink } from '../../native/index.js';
import type { Traffic } from '../../src/link/frames.js';

import { readRecord, type SandboxRecord } from '../pods/records.js';
import type { PodWorker } from '../pods/worker.js';

export class TrafficReader {
  /** Of each sandbox the node's end of its link: its record is read once. */
  #names = new Map<string, string | undefined>();

  /** Pods of the node's own network, and those whose plugins name no link, are not in the answer. */
  async read(workers: readonly PodWorker[]): Promise<Map<PodWorker, Traffic>> {
    const names = await Promise.all(workers.map(async worker => [keyOf(worker), await this.#nameOf(worker)] as const));
    this.#names = new Map(names); // those of pods that are gone are forgotten
    const [list] = (await netlink(null, [{ op: 'link.list' }])) as [LinkInfo[]];
    const links = new Map(list.map(link => [link.name, link]));
    return new Map(
      workers.flatMap((worker, i) => {
        const link = links.get(names[i]?.[1] ?? '');
        return link ? [[worker, fromPod(link)] as const] : [];
      }),
    );
  }

  async #nameOf(worker: PodWorker): Promise<string | undefined> {
    const key = keyOf(worker);
    if (worker.pod.spec.hostNetwork || this.#names.has(key)) return this.#names.get(key);
    return hostLinkOf(await readRecord<SandboxRecord>(worker.paths.sandboxRecord));
  }
}

const keyOf = ({ paths, facts }: PodWorker): string => `${paths.uid} ${facts.sandbox?.attempt}`;

/** The link without a sandbox whose name is no bridge's: by convention plugins call it `veth…`. Pure. */
export function hostLinkOf(record: Pick<SandboxRecord, 'network'> | undefined): string | undefined {
  return record?.network?.interfaces?.find(({ name, sandbox }) => !sandbox && name.startsWith('veth'))?.name;
}

/** What the node's end sends is what the pod receives. Pure. */
export const fromPod = ({ rxBytes, txBytes }: Pick<LinkInfo, 'rxBytes' | 'txBytes'>): Traffic => ({
  receivedBytes: txBytes,
  sentBytes: rxBytes,
});
