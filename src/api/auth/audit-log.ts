/**
 * The audit log's file: lines are gathered and written a few times a second, off the way of requests. Bounded: when the disk
 * cannot keep up, lines are dropped and counted rather than memory filled. A crash loses what was gathered last.
 */
import { mkdirSync } from 'node:fs';
import { appendFile, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describe } from '../../base/errors.js';
import type { Logger } from '../../base/log.js';

export interface AuditSink {
  write(line: string): void;
  close(): Promise<void>;
}

export interface AuditLogOptions {
  readonly file: string;
  readonly log: Logger;
  /** A file of this size gets a number and a new one is begun. Default 64 MiB. */
  readonly maxBytes?: number;
  /** Older files that are kept: `FILE.1` is the newest. Default 4. */
  readonly backups?: number;
}

export const noAudit: AuditSink = { write: () => {}, close: async () => {} };

const flushMs = 250;
const flushBytes = 256 * 1024;
const pendingLimit = 8 * 1024 * 1024;

/** Throws if its folder cannot be made. */
export function openAuditLog(options: AuditLogOptions): AuditSink {
  mkdirSync(dirname(options.file), { recursive: true, mode: 0o700 });
  return new AuditLog(options);
}

class AuditLog implements AuditSink {
  readonly #options: Required<AuditLogOptions>;
  #lines: string[] = [];
  /** In UTF-16 units: near enough to bytes for a bound. */
  #pending = 0;
  #dropped = 0;
  /** Of the file; undefined: not looked at yet. */
  #size: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: AuditLogOptions) {
    this.#options = { maxBytes: 64 * 1024 * 1024, backups: 4, ...options };
  }

  write(line: string): void {
    if (this.#pending > pendingLimit) {
      this.#dropped++;
      return;
    }
    this.#lines.push(line);
    this.#pending += line.length;
    if (this.#pending > flushBytes) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), flushMs).unref();
  }

  async close(): Promise<void> {
    this.#flush();
    await this.#writing;
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const lines = this.#lines;
    if (lines.length === 0) return;
    this.#lines = [];
    const size = lines.reduce((sum, line) => sum + line.length, 0);
    this.#writing = this.#writing
      .then(() => this.#append(lines.join('')))
      .finally(() => {
        this.#pending -= size;
      });
  }

  async #append(text: string): Promise<void> {
    const { file, log, maxBytes } = this.#options;
    try {
      this.#size ??= await stat(file).then(
        ({ size }) => size,
        () => 0,
      );
      if (this.#size > 0 && this.#size + text.length > maxBytes) await this.#rotate();
      await appendFile(file, text, { mode: 0o600 });
      this.#size += Buffer.byteLength(text);
      if (this.#dropped > 0) log.warn({ file, lines: this.#dropped }, 'audit lines were dropped: the disk is too slow');
      this.#dropped = 0;
    } catch (error) {
      this.#size = undefined;
      log.error({ file, error: describe(error) }, 'audit log cannot be written');
    }
  }

  async #rotate(): Promise<void> {
    const { file, backups } = this.#options;
    for (let i = backups - 1; i >= 1; i--) await rename(`${file}.${i}`, `${file}.${i + 1}`).catch(() => {});
    await rename(file, `${file}.1`);
    this.#size = 0;
  }
}
