/** Which images go when the disk fills: those that nobody uses, unused longest first (kubelet's image GC). Pure. */

export interface ImageGcOptions {
  /** Percent of the disk in use at which images are collected, and down to which. 100: never. */
  readonly highPercent: number;
  readonly lowPercent: number;
  /** Images younger than this stay, in milliseconds. */
  readonly minimumAgeMs: number;
  /** Unused for longer than this, they go whether the disk is full or not; 0: never. */
  readonly maximumAgeMs: number;
}

export interface ImageRecord {
  readonly id: string;
  readonly sizeBytes: number;
  readonly detectedAt: number;
  readonly lastUsedAt: number;
}

/** Bytes to free so that the low mark is kept; 0 below the high one. */
export function bytesToFree(
  { capacity, available }: { readonly capacity: number; readonly available: number },
  { highPercent, lowPercent }: ImageGcOptions,
): number {
  if (capacity <= 0 || highPercent >= 100) return 0;
  const usedPercent = 100 - Math.floor((available * 100) / capacity);
  if (usedPercent < highPercent) return 0;
  return Math.max(0, Math.floor((capacity * (100 - lowPercent)) / 100) - available);
}

/** In the order in which they go. An image that has just been used, or has just come, stays. */
export function collectable(images: readonly ImageRecord[], now: number, minimumAgeMs: number): ImageRecord[] {
  return images
    .filter(({ lastUsedAt, detectedAt }) => lastUsedAt < now && now - detectedAt >= minimumAgeMs)
    .toSorted((a, b) => a.lastUsedAt - b.lastUsedAt || a.detectedAt - b.detectedAt);
}

/** Of those, as many as are needed. */
export function enough(images: readonly ImageRecord[], bytes: number): ImageRecord[] {
  let found = 0;
  const chosen: ImageRecord[] = [];
  for (const image of images) {
    if (found >= bytes) break;
    chosen.push(image);
    found += image.sizeBytes;
  }
  return chosen;
}

/** What is known of the images that are there now: seen first now, or used now, or as before. */
export function remember(
  before: ReadonlyMap<string, ImageRecord>,
  there: readonly { readonly id: string; readonly sizeBytes: number }[],
  inUse: ReadonlySet<string>,
  now: number,
): Map<string, ImageRecord> {
  return new Map(
    there.map(({ id, sizeBytes }) => {
      const old = before.get(id);
      const lastUsedAt = inUse.has(id) ? now : (old?.lastUsedAt ?? 0);
      return [id, { id, sizeBytes, detectedAt: old?.detectedAt ?? now, lastUsedAt }];
    }),
  );
}
