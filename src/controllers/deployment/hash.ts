/** The short name of a pod template: `pod-template-hash`, and the end of a ReplicaSet's name. */
import type { PodTemplateSpec } from '../../kube/api/core-v1.js';
import { deepEqual } from '../../kube/json.js';

export const hashLabel = 'pod-template-hash';

/** Kubernetes' alphabet without vowels and without digits that look like letters: no bad words, no confusion. */
const safeLetters = 'bcdfghjklmnpqrstvwxz2456789';

/**
 * 32 bits of FNV-1a over the template, as Kubernetes writes them: each decimal digit as a letter.
 * @param collisions how often the name that comes of it was found taken
 */
export function templateHash(template: PodTemplateSpec, collisions: number): string {
  const text = `${canonical(template)}${collisions > 0 ? collisions : ''}`;
  return Array.from(String(fnv1a(text)), digit => safeLetters[digit.charCodeAt(0) % safeLetters.length]).join('');
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/** JSON that does not depend on the order of keys. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  return `{${Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`)
    .join()}}`;
}

/** Whether two templates make the same pods: all but the hash label counts. */
export function isSameTemplate(a: PodTemplateSpec | undefined, b: PodTemplateSpec | undefined): boolean {
  return deepEqual(a?.spec, b?.spec) && deepEqual(unhashed(a), unhashed(b));
}

function unhashed(template: PodTemplateSpec | undefined): object {
  const { labels = {}, annotations = {}, ...more } = template?.metadata ?? {};
  const { [hashLabel]: _, ...own } = labels;
  // null: what the codec keeps of `creationTimestamp: null` in old manifests
  const rest = Object.fromEntries(Object.entries(more).filter(([, value]) => value !== null && value !== undefined));
  return { ...rest, labels: own, annotations };
}
