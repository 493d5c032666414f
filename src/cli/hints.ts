/** What to do about failures of the system that no part of ours explains: the second line that a person reads. */
import { codeOf } from '../base/errors.js';

const hints: Readonly<Record<string, string>> = {
  EACCES: 'run it as root (sudo), or name directories that are yours with --data-dir and --run-dir',
  EPERM: 'run it as root (sudo); `keelson doctor` says what this kernel allows',
  EROFS:
    'that filesystem is mounted read-only: name a directory on another one, or remount it (`keelson doctor` says how)',
  ENOSPC: 'the disk is full: make room, or name a directory on another one with --data-dir',
  EDQUOT: 'the disk quota is used up: make room, or name another directory with --data-dir',
  EEXIST: 'a file is where a directory is needed: move it away, or name another directory',
  ENOTDIR: 'a file is where a directory is needed: move it away, or name another directory',
  EMFILE: 'too many open files: raise the limit (ulimit -n)',
  ENFILE: 'too many open files on this machine',
};

/** By the code of the error, or of the first of its causes that has one. */
export function hintFor(error: unknown): string | undefined {
  for (let here = error; here instanceof Error; here = here.cause) {
    const hint = hints[codeOf(here) ?? ''];
    if (hint) return hint;
  }
  return undefined;
}
