/** Short names for what a template says: the same template, the same name. Pure. */

const letters = 'bcdfghjklmnpqrstvwxz2456789';

/**
 * FNV-1a with 32 bits over the template as JSON, in letters that make no words (as Kubernetes has it, though not the same
 * values: it hashes Go's dump of the structure).
 * @param collisions how often this name was found taken by something else
 */
export function revisionHash(data: unknown, collisions: number): string {
  const text = JSON.stringify(data) + (collisions > 0 ? String(collisions) : '');
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return [...String(hash)].map(digit => letters[Number(digit)]).join('');
}
