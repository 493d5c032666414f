/**
 * Volumes that show objects follow them while the pod runs: ConfigMaps, Secrets, the pod's own labels and annotations. A
 * change is written as soon as the link has brought it. What cannot be made now leaves what was there (as kubelet does).
 */
import { describe } from '../../src/base/errors.js';
import type { KubeObject } from '../../src/kube/meta.js';
import type { Pod, Volume } from '../../src/kube/pod.js';
import { nameOfObject, referencesOf } from '../../src/link/interest.js';
import { refreshVolumes, type VolumeSources } from './volumes.js';

export interface LivePod {
  readonly pod: Pod;
  readonly paths: { readonly volumes: string };
}

export interface LiveVolumesOptions {
  readonly sources: VolumeSources;
  readonly pods: () => Iterable<LivePod>;
  readonly event: (pod: Pod, type: 'Warning', reason: string, message: string) => void;
}

export class LiveVolumes {
  readonly #options: LiveVolumesOptions;
  constructor(options: LiveVolumesOptions) {
    this.#options = options;
  }

  /** An object that volumes may show has appeared, changed or gone. */
  changed(object: KubeObject): void {
    if (object.kind === 'Pod') return this.#podChanged(object as Pod);
    if (object.kind !== 'ConfigMap' && object.kind !== 'Secret') return;
    const name = nameOfObject(object);
    for (const each of this.#options.pods()) if (referencesOf(each.pod).has(name)) void this.#refresh(each);
  }

  /** After the link was down: anything may have changed. */
  all(): void {
    for (const each of this.#options.pods()) void this.#refresh(each);
  }

  #podChanged(pod: Pod): void {
    if (!(pod.spec.volumes ?? []).some(showsPod)) return;
    for (const each of this.#options.pods()) if (each.pod.metadata.uid === pod.metadata.uid) void this.#refresh(each);
  }

  async #refresh({ pod, paths }: LivePod): Promise<void> {
    if (pod.metadata.deletionTimestamp) return;
    try {
      await refreshVolumes(pod, paths.volumes, this.#options.sources);
    } catch (error) {
      this.#options.event(pod, 'Warning', 'FailedMount', describe(error));
    }
  }
}

const showsPod = ({ downwardAPI, projected }: Volume): boolean =>
  downwardAPI !== undefined || (projected?.sources ?? []).some(source => source.downwardAPI !== undefined);
