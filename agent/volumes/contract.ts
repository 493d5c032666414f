/** One file per volume kind, all with the same pair. `prepare` may be repeated; `release` is the pod directory's removal. */

import type { ConfigMap, Secret } from '../../src/kube/node.js';
import type { Pod, ProjectedSource, Volume } from '../../src/kube/pod.js';
import type { Image } from '../images/contract.js';

export interface VolumeContext {
  readonly pod: Pod;
  /** The volume's own directory below the pod's: exists, mode 0755. */
  readonly directory: string;
  readonly configMap: (name: string) => ConfigMap | undefined;
  readonly secret: (name: string) => Secret | undefined;
  /** A token of the pod's ServiceAccount, from the API. Rejects with an Error saying why there is none now. */
  readonly token: (source: TokenSource) => Promise<string>;
  /** Absent: this node has no store of images. */
  readonly image?: ((reference: string) => Promise<Pick<Image, 'layers'> | undefined>) | undefined;
  /** What the node has, in Kubernetes quantities: the default of resourceFieldRef limits. */
  readonly allocatable: Readonly<Record<string, string>>;
}

/** Which token a volume shows (core/v1 ServiceAccountTokenProjection). */
export type TokenSource = NonNullable<ProjectedSource['serviceAccountToken']>;

export interface VolumeKind {
  /** Whether this kind serves that volume. */
  readonly serves: (volume: Volume) => boolean;
  /** Makes it ready and says what to bind into containers. Throws VolumeError. */
  readonly prepare: (volume: Volume, context: VolumeContext) => Promise<{ source: string; readOnly: boolean }>;
}

/** It cannot be mounted now: event FailedMount, tried again. */
export class VolumeError extends Error {
  override name = 'VolumeError';
}
