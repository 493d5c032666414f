/** A Pod from a controller's template. */
import type { PodTemplateSpec } from '../../kube/api/core-v1.js';
import type { KubeObject } from '../../kube/meta.js';
import { generatedSuffix } from '../../kube/names.js';
import type { Pod, PodSpec } from '../../kube/pod.js';
import { controllerRefTo } from './ownership.js';

/** A pod's name becomes its host name: no longer than 63 characters. */
const longestPrefix = 63 - 5;

/** `prefix-x2k9d`, and the `generateName` that says where it comes from. @param random in [0, 1) */
export function generatedPodName(owner: string, random: () => number): { name: string; generateName: string } {
  const generateName = `${owner}-`;
  return { generateName, name: generateName.slice(0, longestPrefix) + generatedSuffix(random) };
}

/**
 * The pod that the template describes, owned by `owner` and in its namespace. The name is decided here, not by the API, so
 * that the event about it can be decided at the same time.
 * @param name the whole name, or a source of randomness for `<owner>-x2k9d`
 */
export function podFromTemplate(
  template: PodTemplateSpec | undefined,
  owner: KubeObject,
  name: string | (() => number),
): Pod {
  const { labels, annotations, finalizers } = template?.metadata ?? {};
  const { namespace } = owner.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...(typeof name === 'string' ? { name } : generatedPodName(owner.metadata.name, name)),
      ...(namespace && { namespace }),
      ...(labels && { labels }),
      ...(annotations && { annotations }),
      ...(finalizers && { finalizers }),
      ownerReferences: [controllerRefTo(owner)],
    },
    spec: (template?.spec ?? { containers: [] }) as PodSpec,
  };
}
