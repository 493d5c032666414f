/**
 * Applies one layer to an empty private directory (rule B7): every entry lands below it, nothing is followed, whiteouts
 * become overlayfs's. The directory is 0700 and nobody else knows it, so lstat-then-act has no racer. Calls are
 * synchronous on purpose: each touches one inode, and the stream between them gives the event loop its turns.
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  type Stats,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { makeNode, setXattr } from '../../native/index.js';
import { codeOf } from '../../src/base/errors.js';
import { type TarEntry, TarError } from './tar.js';

export interface UnpackLimits {
  readonly bytes: number;
  readonly entries: number;
  readonly depth: number;
}

/** Generous: images are data, and a disk's threshold comes first. */
export const defaultLimits: UnpackLimits = { bytes: 20 * 2 ** 30, entries: 2_000_000, depth: 128 };

const whiteout = '.wh.';
const opaqueMarker = '.wh..wh..opq';
const maxXattr = 65536;
const maxPath = 4096;

/** Binary string (one character per byte) → what the file system calls take. */
const bytes = (path: string) => Buffer.from(path, 'latin1');

/** For the addon, which takes text. @throws TarError for a name that is not UTF-8 */
function textPath(path: string): string {
  const text = bytes(path).toString('utf8');
  if (text.includes('\ufffd')) throw new TarError(`the name "${path}" is not UTF-8`);
  return text;
}

/** Parts of a name, cleaned after all extensions have had their say. @throws TarError if it leaves the root */
export function cleanParts(name: string, what: string): string[] {
  const parts = name.split('/').filter(part => part !== '' && part !== '.');
  if (parts.includes('..')) throw new TarError(`${what} "${name}" leaves the root`);
  if (name.length > maxPath || parts.some(part => part.length > 255))
    throw new TarError(`${what} "${name.slice(0, 80)}…" is too long`);
  return parts;
}

function lstatOf(path: string): Stats | undefined {
  try {
    return lstatSync(bytes(path));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export class LayerUnpacker {
  readonly #root: string;
  readonly #lower: readonly string[];
  readonly #limits: UnpackLimits;
  /** Directories known to be real ones; emptied of what is replaced. */
  readonly #directories = new Set<string>(['']);
  readonly #hidden = new Set<string>();
  /** Set at the end: making a child changes them. */
  readonly #times = new Map<string, number>();
  #entries = 0;
  bytes = 0;

  /**
   * @param root absolute, empty, private
   * @param lower unpacked layers below, lowest first: parents that this layer does not name get their owner and mode
   */
  constructor(root: string, lower: readonly string[], limits: UnpackLimits = defaultLimits) {
    this.#root = Buffer.from(root).toString('latin1');
    this.#lower = lower.map(path => Buffer.from(path).toString('latin1'));
    this.#limits = limits;
  }

  async apply(entries: AsyncIterable<TarEntry>): Promise<void> {
    for await (const entry of entries) await this.#applyOne(entry);
    for (const [path, mtime] of [...this.#times].reverse()) utimesSync(bytes(this.#at(path)), mtime, mtime);
  }

  #at(path: string): string {
    return path === '' ? this.#root : `${this.#root}/${path}`;
  }

  async #applyOne(entry: TarEntry): Promise<void> {
    this.#count(entry);
    const parts = cleanParts(entry.name, 'the entry');
    if (parts.length > this.#limits.depth)
      throw new TarError(`the entry "${entry.name}" is deeper than ${this.#limits.depth} directories`);
    const last = parts.at(-1);
    if (last === undefined) {
      this.#rootItself(entry);
      return;
    }
    const parent = parts.slice(0, -1).join('/');
    this.#ensureParents(parts.slice(0, -1));
    if (last.startsWith(whiteout)) this.#hide(parent, last);
    else await this.#place(entry, parts.join('/'));
  }

  #count(entry: TarEntry): void {
    this.#entries++;
    this.bytes += entry.size;
    if (this.#entries > this.#limits.entries)
      throw new TarError(`the layer has more than ${this.#limits.entries} entries`);
    if (this.bytes > this.#limits.bytes)
      throw new TarError(`the layer has more than ${this.#limits.bytes} bytes (at "${entry.name}")`);
  }

  /** The root's own entry gives it owner and mode; it cannot be anything but a directory. */
  #rootItself(entry: TarEntry): void {
    if (entry.type === 'directory') this.#finishDirectory('', entry);
  }

  #ensureParents(parts: readonly string[]): void {
    let path = '';
    for (const part of parts) {
      if (part.startsWith(whiteout)) throw new TarError(`the whiteout "${part}" has something below it`);
      path = path === '' ? part : `${path}/${part}`;
      if (this.#directories.has(path)) continue;
      this.#ensureParent(path);
      this.#directories.add(path);
    }
  }

  #ensureParent(path: string): void {
    const stat = lstatOf(this.#at(path));
    if (stat?.isDirectory()) return;
    if (stat && !this.#hidden.has(path))
      throw new TarError(`the path "${path}" leads through something that is not a directory`);
    if (stat) unlinkSync(bytes(this.#at(path)));
    const like = this.#lowerDirectory(path);
    mkdirSync(bytes(this.#at(path)), 0o755);
    chownSync(bytes(this.#at(path)), like?.uid ?? 0, like?.gid ?? 0);
    chmodSync(bytes(this.#at(path)), (like?.mode ?? 0o755) & 0o7777);
    if (stat) this.#makeOpaque(path);
  }

  /** The directory of that path in the nearest layer below that has one, without following links in there. */
  #lowerDirectory(path: string): Stats | undefined {
    for (const layer of [...this.#lower].reverse()) {
      const stat = this.#plainStat(layer, path);
      if (stat) return stat.isDirectory() ? stat : undefined;
    }
    return undefined;
  }

  #plainStat(layer: string, path: string): Stats | undefined {
    let at = layer;
    let stat: Stats | undefined;
    for (const part of path.split('/')) {
      if (stat && !stat.isDirectory()) return undefined;
      at = `${at}/${part}`;
      stat = lstatOf(at);
      if (!stat) return undefined;
    }
    return stat;
  }

  #hide(parent: string, marker: string): void {
    if (marker === opaqueMarker) {
      this.#makeOpaque(parent);
      return;
    }
    // aufs' own bookkeeping
    if (marker.startsWith('.wh..wh.')) return;
    const name = marker.slice(whiteout.length);
    if (name === '' || name === '.' || name === '..') throw new TarError(`the whiteout "${marker}" names nothing`);
    const path = parent === '' ? name : `${parent}/${name}`;
    const stat = lstatOf(this.#at(path));
    this.#hidden.add(path);
    // it hides what is below only: what this layer has itself stays
    if (stat?.isDirectory()) this.#makeOpaque(path);
    else if (!stat) makeNode(textPath(this.#at(path)), constants.S_IFCHR, 0, 0);
  }

  #makeOpaque(path: string): void {
    setXattr(textPath(this.#at(path)), 'trusted.overlay.opaque', Buffer.from('y'));
  }

  async #place(entry: TarEntry, path: string): Promise<void> {
    const stat = lstatOf(this.#at(path));
    if (stat?.isDirectory()) {
      if (entry.type !== 'directory')
        throw new TarError(`the entry "${entry.name}" would replace a directory of the same layer`);
    } else if (stat) unlinkSync(bytes(this.#at(path)));
    if (entry.type === 'directory') return this.#directory(entry, path, stat?.isDirectory() ?? false);
    if (entry.type === 'file') return this.#file(entry, path);
    if (entry.type === 'link') return this.#link(entry, path);
    if (entry.type === 'symlink') symlinkSync(bytes(entry.linkname), bytes(this.#at(path)));
    else this.#special(entry, path);
    this.#finishOther(entry, path);
  }

  #directory(entry: TarEntry, path: string, exists: boolean): void {
    if (!exists) mkdirSync(bytes(this.#at(path)), 0o700);
    this.#directories.add(path);
    this.#finishDirectory(path, entry);
    if (this.#hidden.has(path)) this.#makeOpaque(path);
  }

  #finishDirectory(path: string, entry: TarEntry): void {
    chownSync(bytes(this.#at(path)), owner(entry.uid), owner(entry.gid));
    chmodSync(bytes(this.#at(path)), entry.mode);
    this.#setXattrs(entry, path);
    this.#times.set(path, time(entry.mtime));
  }

  async #file(entry: TarEntry, path: string): Promise<void> {
    const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
    const fd = openSync(bytes(this.#at(path)), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600);
    try {
      for await (const chunk of entry.body) writeAll(fd, chunk);
      // the order matters: chown clears setuid bits and file capabilities
      fchownSync(fd, owner(entry.uid), owner(entry.gid));
      fchmodSync(fd, entry.mode);
      this.#setXattrs(entry, path);
      futimesSync(fd, time(entry.mtime), time(entry.mtime));
    } finally {
      closeSync(fd);
    }
  }

  #link(entry: TarEntry, path: string): void {
    const target = cleanParts(entry.linkname, 'the hard link to');
    this.#ensureLinkParents(entry, target);
    const stat = lstatOf(this.#at(target.join('/')));
    if (!stat || stat.isDirectory())
      throw new TarError(`the hard link "${entry.name}" names "${entry.linkname}", which is no file of this layer`);
    linkSync(bytes(this.#at(target.join('/'))), bytes(this.#at(path)));
  }

  #ensureLinkParents(entry: TarEntry, target: readonly string[]): void {
    for (let count = 1; count < target.length; count++) {
      if (lstatOf(this.#at(target.slice(0, count).join('/')))?.isDirectory()) continue;
      throw new TarError(
        `the hard link "${entry.name}" leads through "${target.slice(0, count).join('/')}", which is not a directory`,
      );
    }
  }

  #special(entry: TarEntry, path: string): void {
    const type = { char: constants.S_IFCHR, block: constants.S_IFBLK, fifo: constants.S_IFIFO }[
      entry.type as 'char' | 'block' | 'fifo'
    ];
    makeNode(textPath(this.#at(path)), type | entry.mode, entry.major, entry.minor);
  }

  #finishOther(entry: TarEntry, path: string): void {
    lchownSync(bytes(this.#at(path)), owner(entry.uid), owner(entry.gid));
    if (entry.type !== 'symlink') chmodSync(bytes(this.#at(path)), entry.mode);
    lutimesSync(bytes(this.#at(path)), time(entry.mtime), time(entry.mtime));
  }

  /** Only what a workload may have: `trusted.overlay.*` from an image would forge whiteouts. */
  #setXattrs(entry: TarEntry, path: string): void {
    for (const [name, value] of entry.xattrs) {
      if (name !== 'security.capability' && !name.startsWith('user.')) continue;
      if (value.length > maxXattr || name.length > 255)
        throw new TarError(`the attribute "${name.slice(0, 80)}" of "${entry.name}" is too long`);
      setXattr(textPath(this.#at(path)), name, value);
    }
  }
}

function owner(id: number): number {
  if (id > 0xfffffffe) throw new TarError(`an entry belongs to ${id}; at most ${0xfffffffe} is possible`);
  return id;
}

const time = (seconds: number) => Math.max(0, Math.min(seconds, 2 ** 33));

function writeAll(fd: number, chunk: Buffer): void {
  for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at);
}
