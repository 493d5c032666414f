/** A node as the subject of events. */
import type { KubeObject } from '../src/kube/meta.js';

/** Events of a node name it by its name, as kubelet's do. */
export const aboutNode = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, uid: name },
});
