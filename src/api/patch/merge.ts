/** RFC 7386 merge patch: null deletes, objects merge, everything else replaces. */
import { clone, getOwn, isObject, setOwn } from '../../kube/json.js';

/** Returns the patched copy. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return clone(patch);
  const result = isObject(target) ? clone(target) : {};
  for (const key of Object.keys(patch)) {
    if (patch[key] === null) delete result[key];
    else setOwn(result, key, applyMergePatch(getOwn(result, key), patch[key]));
  }
  return result;
}
