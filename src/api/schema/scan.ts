/**
 * One pass over JSON text for what JSON.parse hides: duplicate keys, and nesting deep enough to overflow a recursive walk.
 * Runs before JSON.parse, which remains the judge of syntax.
 */

/** Deeper documents are refused. Kubernetes allows 10,000; no real object passes 100, and our walks are recursive. */
export const maxDepth = 1000;

export class DepthError extends Error {
  override name = 'DepthError';
}

interface Frame {
  /** Keys seen so far, in an object; the index, in a list. */
  readonly keys: Set<string> | undefined;
  index: number;
  name: string;
}

/** The paths of fields that occur twice, such as `spec.containers[0].name`. Throws DepthError. */
export function findDuplicates(text: string): string[] {
  const found: string[] = [];
  const stack: Frame[] = [];
  let expectKey = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) {
      const end = endOfString(text, at);
      if (expectKey) noteKey(stack, text.slice(at, end + 1), found);
      expectKey = false;
      at = end;
    } else if (code === 0x7b || code === 0x5b) {
      if (stack.length >= maxDepth) throw new DepthError(`nested deeper than ${maxDepth} levels`);
      stack.push({ keys: code === 0x7b ? new Set() : undefined, index: 0, name: '' });
      expectKey = code === 0x7b;
    } else if (code === 0x7d || code === 0x5d) {
      stack.pop();
      expectKey = false;
    } else if (code === 0x2c) {
      const top = stack.at(-1);
      if (top) top.index++;
      expectKey = top?.keys !== undefined;
    }
  }
  return found;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== 0x22) at += text.charCodeAt(at) === 0x5c ? 2 : 1;
  return at;
}

function noteKey(stack: readonly Frame[], quoted: string, found: string[]): void {
  const top = stack.at(-1);
  if (!top?.keys) return;
  const key = quoted.includes('\\') ? unquote(quoted) : quoted.slice(1, -1);
  top.name = key;
  if (top.keys.has(key)) found.push(pathOf(stack));
  else top.keys.add(key);
}

function unquote(quoted: string): string {
  try {
    return String(JSON.parse(quoted));
  } catch {
    return quoted.slice(1, -1);
  }
}

function pathOf(stack: readonly Frame[]): string {
  let path = '';
  for (const frame of stack) path += frame.keys ? `${path ? '.' : ''}${frame.name}` : `[${frame.index}]`;
  return path;
}
