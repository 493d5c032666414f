/** Configurations of foreign plugins are taken at the agent's start; one that comes, changes or goes later is told of. */
import { existsSync, type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import { type ConfList, loadConfList } from '../../cni/conf-list.js';
import { describe } from '../../src/base/errors.js';

/** A file that is being written is read when it is quiet. */
const quietMs = 200;

export class ConfWatch {
  readonly #folder: string;
  readonly #tell: (words: string) => void;
  readonly #used: string;
  #told: string;
  #at = '';
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param tell gets words for people, once as long as they stay true */
  constructor(folder: string, tell: (words: string) => void) {
    this.#folder = folder;
    this.#tell = tell;
    this.#used = contentOf(folder);
    this.#told = this.#used;
    this.#follow();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#watcher?.close();
  }

  /** The folder, or as long as it is not there the one that it will be in. No more than a hint depends on it. */
  #follow(): void {
    let at = this.#folder;
    while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
    if (at === this.#at) return;
    this.#watcher?.close();
    try {
      this.#watcher = watch(at, { persistent: false }, () => this.#changed()).on('error', () => this.#watcher?.close());
    } catch {
      return; // it went in this moment, or the kernel has no watch left
    }
    this.#at = at;
    this.#follow(); // what was made between the two looks
  }

  #changed(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), quietMs).unref();
  }

  #look(): void {
    this.#follow();
    const now = contentOf(this.#folder);
    if (now === this.#told) return;
    this.#told = now;
    if (now !== this.#used) this.#tell(hint(this.#folder));
  }
}

function load(folder: string): ConfList | Error | undefined {
  try {
    return loadConfList(folder);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function contentOf(folder: string): string {
  const found = load(folder);
  return found instanceof Error ? describe(found) : JSON.stringify(found ?? null);
}

function hint(folder: string): string {
  const found = load(folder);
  const later = 'is taken only when the agent is started again';
  if (found instanceof Error) return `${describe(found)}; what is in ${folder} ${later}`;
  if (!found) return `No network configuration is left in ${folder}; that ${later}`;
  return `The network configuration ${found.file} (network "${found.name}") ${later}`;
}
