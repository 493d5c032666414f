/** Which signal asks a container to stop: lifecycle.stopSignal, else the image's STOPSIGNAL, else SIGTERM. */
import { constants } from 'node:os';
import type { Pod } from '../../src/kube/pod.js';
import { allContainers } from './facts.js';
import type { PodNode } from './node-contract.js';

const terminate = constants.signals.SIGTERM;

/** Number of `SIGTERM`, `TERM` or `15`; `SIGRTMIN+3` counts from 34 (signal(7)). Unknown ones are SIGTERM. Pure. */
export function signalNumber(text: string | undefined): number {
  if (!text) return terminate;
  if (/^\d{1,2}$/.test(text)) return Number(text) >= 1 && Number(text) <= 64 ? Number(text) : terminate;
  const name = text.toUpperCase().replace(/^SIG/, '');
  const realtime = /^RTMIN\+(\d{1,2})$/.exec(name);
  if (realtime) return 34 + Number(realtime[1]);
  return (constants.signals as Record<string, number>)[`SIG${name}`] ?? terminate;
}

export async function stopSignalOf(node: Pick<PodNode, 'images'>, pod: Pod, name: string): Promise<number> {
  const container = allContainers(pod).find(c => c.name === name);
  if (container?.lifecycle?.stopSignal) return signalNumber(container.lifecycle.stopSignal);
  const image = container?.image ? await node.images.find(container.image).catch(() => undefined) : undefined;
  return signalNumber(image?.config.stopSignal);
}
