/** Lines of a CRI log: `<time> <stream> <P|F> <text>`. Cutting, filtering, and finding where the last N lines start. */
import { type FileHandle, open } from 'node:fs/promises';

export interface LineFilter {
  /** Lines from this time on, RFC 3339. */
  readonly sinceTime?: string;
  /** Puts each line's time before it. */
  readonly timestamps?: boolean;
}

/** Times compare by milliseconds and then by text, so that nanoseconds count too. */
function isBefore(time: string, sinceTime: string): boolean {
  const [a, b] = [Date.parse(time), Date.parse(sinceTime)];
  return a === b
    ? sinceTime.endsWith('Z') && time.padEnd(30) < sinceTime.padEnd(30) && sinceTime.length >= time.length
    : a < b;
}

const newline = 0x0a;

/** Turns the bytes of a log into the bytes that the container wrote. */
export class LogLines {
  readonly #filter: LineFilter;
  #rest: Buffer = Buffer.alloc(0);
  /** A part was given out: what follows is the same line, without a time of its own. */
  #continued = false;
  /** Set once a line was new enough: times only grow. */
  #started: boolean;

  constructor(filter: LineFilter) {
    this.#filter = filter;
    this.#started = filter.sinceTime === undefined;
  }

  push(chunk: Buffer): Buffer {
    const data = this.#rest.length ? Buffer.concat([this.#rest, chunk]) : chunk;
    const parts: Buffer[] = [];
    let at = 0;
    for (let end = data.indexOf(newline, at); end >= 0; end = data.indexOf(newline, at)) {
      this.#line(data.subarray(at, end), parts);
      at = end + 1;
    }
    this.#rest = data.subarray(at);
    return Buffer.concat(parts);
  }

  #line(line: Buffer, parts: Buffer[]): void {
    const afterTime = line.indexOf(0x20);
    const afterStream = line.indexOf(0x20, afterTime + 1);
    const afterTag = line.indexOf(0x20, afterStream + 1);
    // a damaged line (a full disk, a power cut) is left out
    if (afterTime < 0 || afterStream < 0 || afterTag < 0) return;
    const time = line.toString('latin1', 0, afterTime);
    if (!this.#started && isBefore(time, this.#filter.sinceTime!)) return;
    this.#started = true;
    if (this.#filter.timestamps && !this.#continued) parts.push(Buffer.from(`${time} `));
    parts.push(line.subarray(afterTag + 1));
    this.#continued = line[afterTag - 1] === 0x50; // P
    if (!this.#continued) parts.push(Buffer.from('\n'));
  }
}

export interface LogPosition {
  /** Index in the list of files. */
  readonly file: number;
  readonly position: number;
}

/** Longer than any line that the shim writes (16 KiB and a prefix). */
const blockBytes = 65536;

interface LineEnd {
  /** Offset after its newline. */
  readonly end: number;
  /** Tag F: it ends a line of the container's. */
  readonly full: boolean;
}

function isFull(line: Buffer): boolean {
  const second = line.indexOf(0x20, line.indexOf(0x20) + 1);
  return line[second + 1] === 0x46; // F
}

/** The lines of a file, last one first. */
async function* linesBackwards(file: FileHandle): AsyncGenerator<LineEnd> {
  for (let end = (await file.stat()).size; end > 0; ) {
    const from = Math.max(0, end - blockBytes);
    const { buffer } = await file.read(Buffer.alloc(end - from), 0, end - from, from);
    // a line that starts before this block is left to the next one
    const first = from === 0 ? 0 : buffer.indexOf(newline) + 1;
    for (let stop = buffer.length; stop > first; ) {
      const start = stop < 2 ? 0 : buffer.lastIndexOf(newline, stop - 2) + 1;
      yield { end: from + stop, full: isFull(buffer.subarray(start, stop)) };
      stop = start;
    }
    end = first > 0 && first < buffer.length ? from + first : from;
  }
}

interface Scan {
  /** Full lines seen, at most as many as were wanted. */
  readonly found: number;
  /** Where they start; undefined if all of the file is among them. */
  readonly position?: number;
}

/** Goes back over `wanted` full lines; the end of the one before them is where they start. */
async function scanBack(path: string, wanted: number): Promise<Scan> {
  const file = await open(path, 'r').catch(() => undefined);
  if (!file) return { found: 0 };
  try {
    let found = 0;
    for await (const { end, full } of linesBackwards(file)) {
      if (full && found === wanted) return { found, position: end };
      if (full) found++;
    }
    return { found };
  } finally {
    await file.close();
  }
}

/** Where the last `lines` lines start in files that follow each other (oldest first). */
export async function tailStart(files: readonly string[], lines: number): Promise<LogPosition> {
  let wanted = lines;
  for (let file = files.length - 1; file >= 0; file--) {
    const { found, position } = await scanBack(files[file]!, wanted);
    if (position !== undefined) return { file, position };
    wanted -= found;
  }
  return { file: 0, position: 0 };
}
