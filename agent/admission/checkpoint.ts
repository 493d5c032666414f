/** A small file of JSON that outlives the agent: what was given to whom. Unreadable is empty, and told. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf, describe } from '../../src/base/errors.js';

/**
 * Synchronous: a decision and its record must not be parted by another decision. Some hundred bytes, only when a pod with
 * devices or CPUs of its own comes or goes.
 */
export class Checkpoint<T extends object> {
  #written: string | undefined;

  constructor(
    readonly path: string,
    readonly onProblem: (message: string) => void,
  ) {}

  read(): T {
    try {
      return (JSON.parse(readFileSync(this.path, 'utf8')) ?? {}) as T;
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') this.onProblem(`${this.path}: cannot be read: ${describe(error)}`);
      return {} as T;
    }
  }

  write(value: T): void {
    const text = JSON.stringify(value);
    if (text === this.#written) return;
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
    writeFileSync(`${this.path}.tmp`, text, { mode: 0o600, flush: true } as never);
    renameSync(`${this.path}.tmp`, this.path);
    this.#written = text;
  }
}
