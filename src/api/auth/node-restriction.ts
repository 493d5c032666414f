/** What a node may write about itself and its pods (NodeRestriction admission). Pure: each returns what is wrong. */
import { deepEqual } from '../../kube/json.js';
import type { Pod } from '../../kube/pod.js';
import type { AnyObject } from '../kind.js';
import { labelsOfNode, referenceIn } from '../node-reports.js';

const mirror = 'kubernetes.io/config.mirror';

export function restrictNode(node: string, next: AnyObject, old: AnyObject | undefined): string | undefined {
  const { name, labels = {}, ownerReferences } = next.metadata;
  if (name !== node)
    return `node ${JSON.stringify(node)} is not allowed to ${old ? 'modify' : 'create'} node ${JSON.stringify(name)}`;
  const taints = (object: AnyObject | undefined): unknown => (object?.spec as { taints?: unknown } | undefined)?.taints;
  if (old && !deepEqual(taints(next), taints(old)))
    return `node ${JSON.stringify(node)} is not allowed to modify taints`;
  if (!deepEqual(ownerReferences, old?.metadata.ownerReferences))
    return `node ${JSON.stringify(node)} is not allowed to modify ownerReferences`;
  const before = old?.metadata.labels ?? {};
  const changed = [...new Set([...Object.keys(labels), ...Object.keys(before)])].filter(
    key => labels[key] !== before[key],
  );
  const own = labelsOfNode(Object.fromEntries(changed.map(key => [key, ''])));
  const foreign = changed.filter(key => !Object.hasOwn(own, key)).sort();
  if (foreign.length === 0) return undefined;
  return `is not allowed to ${old ? 'modify' : 'set the following'} labels: ${foreign.join(', ')}`;
}

export function restrictPod(node: string, next: Pod, old: Pod | undefined): string | undefined {
  const who = `node ${JSON.stringify(node)}`;
  if (old) {
    if (old.spec.nodeName !== node)
      return `${who} can only update pod status for pods with spec.nodeName set to itself`;
    const same = deepEqual(next.metadata.labels, old.metadata.labels);
    return same ? undefined : `${who} cannot update labels through pod status`;
  }
  if (!next.metadata.annotations?.[mirror])
    return `pod does not have "${mirror}" annotation, ${who} can only create mirror pods`;
  if (next.spec.nodeName !== node) return `${who} can only create pods with spec.nodeName set to itself`;
  const named = referenceIn(next.spec);
  return named && `${who} can not create pods that reference API objects: ${named}`;
}
