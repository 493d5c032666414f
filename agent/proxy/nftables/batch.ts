/** Elements as the kernel takes them: those of one set together, their bytes one after another. Pure. */
import type { NftChange } from '../../../native/index.js';

/** Of any table of ours. */
export interface RawElement {
  readonly set: string;
  readonly key: Buffer;
  /** Of an interval. */
  readonly keyEnd?: Buffer;
  readonly value?: Buffer;
  /** Of a verdict map instead. */
  readonly chain?: string;
}

/** First everything that goes, then everything that comes: an element that leads elsewhere is both. */
export function batch(gone: Iterable<RawElement>, come: Iterable<RawElement>): NftChange[] {
  return [...packed('delete', gone), ...packed('add', come)];
}

function packed(op: 'add' | 'delete', elements: Iterable<RawElement>): NftChange[] {
  const bySet = new Map<string, RawElement[]>();
  for (const element of elements) {
    const known = bySet.get(element.set);
    if (known) known.push(element);
    else bySet.set(element.set, [element]);
  }
  return [...bySet].map(([set, all]) => pack(op, set, all));
}

function pack(op: 'add' | 'delete', set: string, elements: readonly RawElement[]): NftChange {
  const [first] = elements;
  const bytes = (part: 'key' | 'keyEnd' | 'value') => Buffer.concat(elements.map(one => one[part] as Buffer));
  return {
    op,
    set,
    keySize: first?.key.length ?? 0,
    keys: bytes('key'),
    ...(first?.keyEnd && { keyEnds: bytes('keyEnd') }),
    ...(op === 'add' && first?.value && { valueSize: first.value.length, values: bytes('value') }),
    ...(op === 'add' && first?.chain !== undefined && { chains: elements.map(({ chain = '' }) => chain) }),
  };
}
