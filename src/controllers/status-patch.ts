/** The patch that makes an object's status what it should be. */
import { deepEqual, getOwn, isObject } from '../kube/json.js';
import type { KubeObject } from '../kube/meta.js';
import { type Action, targetOf } from './contract.js';

/**
 * Nothing when the status says so already. `undefined` in `next` means absent.
 * @param at false: another action of the same run has changed the object's resourceVersion; right only where the status
 *   has one writer
 */
export function statusPatch(object: KubeObject & { readonly status?: object }, next: object, at = true): Action[] {
  const status = mergePatchOf(object.status ?? {}, next);
  if (Object.keys(status).length === 0) return [];
  return [
    {
      do: 'patch',
      target: targetOf(object),
      at: at ? object.metadata.resourceVersion : undefined,
      patch: { status },
      subresource: 'status',
    },
  ];
}

/** RFC 7386: what has to be merged into `from` to get `to`; empty if nothing. */
export function mergePatchOf(from: object, to: object): Record<string, unknown> {
  const patch: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(from), ...Object.keys(to)])) {
    const [before, after] = [getOwn(from, key), getOwn(to, key)];
    if (deepEqual(before, after)) continue;
    if (after === undefined) patch[key] = null;
    else if (!isObject(before) || !isObject(after)) patch[key] = after;
    else {
      const inner = mergePatchOf(before, after);
      if (Object.keys(inner).length > 0) patch[key] = inner;
    }
  }
  return patch;
}
