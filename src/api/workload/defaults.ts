/** Defaults of pod templates: the same as a pod's, but for what is decided when the pod itself is made. In place. */
import type { PodTemplateSpec } from '../../kube/api/core-v1.js';
import type { PodSpec } from '../../kube/pod.js';
import { defaultPodSpec } from '../pod/defaults.js';

export function defaultTemplate(template: PodTemplateSpec): void {
  template.metadata ??= {};
  template.spec ??= {} as PodSpec;
  defaultPodSpec(template.spec);
}
