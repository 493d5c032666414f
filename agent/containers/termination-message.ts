/**
 * The termination message of a container (rule A6). The file is the container's to write: only a regular file is read,
 * no link is followed, and never more than the limit.
 */
import { constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';

export const maxMessageBytes = 4096;
const fallbackBytes = 2048;
const fallbackLines = 80;

async function openRegular(path: string): Promise<FileHandle | undefined> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(() => undefined);
  if (file && !(await file.stat()).isFile()) return void (await file.close());
  return file;
}

/** The first or last `limit` bytes; empty if it is no readable regular file. */
async function readPart(path: string, limit: number, fromEnd: boolean): Promise<string> {
  const file = await openRegular(path);
  if (!file) return '';
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(limit),
      0,
      limit,
      fromEnd ? Math.max(0, size - limit) : 0,
    );
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Takes time, stream and tag off a CRI log's lines. A first line that is cut stays away. Pure. */
export function lastLines(log: string, whole: boolean): string {
  const lines = log
    .split('\n')
    .filter(Boolean)
    .slice(whole ? 0 : 1);
  const texts = lines
    .map(line => line.split(' '))
    .map(([, , tag, ...rest]) => rest.join(' ') + (tag === 'P' ? '' : '\n'));
  const text = texts.slice(-fallbackLines).join('');
  return Buffer.from(text).subarray(-fallbackBytes).toString('utf8');
}

export interface TerminationMessageOptions {
  /** Source of the termination log on the node, not the path in the container. */
  readonly file: string;
  readonly policy: 'File' | 'FallbackToLogsOnError';
  readonly logPath: string;
  readonly failed: boolean;
}

export async function readTerminationMessage(options: TerminationMessageOptions): Promise<string> {
  // most write none: one look instead of an open file
  const { size } = (await lstat(options.file).catch(() => undefined)) ?? { size: 0 };
  const message = size > 0 ? await readPart(options.file, maxMessageBytes, false) : '';
  if (message !== '' || options.policy === 'File' || !options.failed) return message;
  // a line of the log is at most this much longer than what it carries
  const window = fallbackBytes + fallbackLines * 64 + 16384;
  const log = await readPart(options.logPath, window, true);
  return lastLines(log, Buffer.byteLength(log) < window);
}
