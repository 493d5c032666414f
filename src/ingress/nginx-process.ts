/** A real nginx under our hand: its configuration is tried before it is taken, and taken without losing a connection. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { backoffDelay } from '../base/backoff.js';
import { codeOf, UserError } from '../base/errors.js';
import type { Logger } from '../base/log.js';

export interface NginxFiles {
  readonly config: string;
  /** Path → content, PEM. */
  readonly certificates: ReadonlyMap<string, string>;
}

const retry = { initialMs: 200, maxMs: 10_000, factor: 2 } as const;

export class NginxProcess {
  #child: ChildProcess | undefined;
  #closed = false;
  #deaths = 0;
  #running = '';

  constructor(
    readonly program: string,
    readonly directory: string,
    readonly log: Logger,
  ) {}

  /** Rejects with an Error holding what nginx says of it; then the former configuration stays in force. */
  async use({ config, certificates }: NginxFiles): Promise<void> {
    for (const folder of [this.directory, join(this.directory, 'certificates'), join(this.directory, 'temporary')])
      await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const [path, content] of certificates) await writeSecret(path, content);
    const state = JSON.stringify([config, [...certificates]]);
    if (state === this.#running) return;
    const next = join(this.directory, 'next.conf');
    await writeFile(next, config, { mode: 0o600 });
    await this.#try(next);
    await writeFile(join(this.directory, 'nginx.conf'), config, { mode: 0o600 });
    this.#running = state;
    if (this.#child) this.#child.kill('SIGHUP');
    else this.#start();
    await this.#forgetCertificates(certificates);
  }

  async #try(file: string): Promise<void> {
    try {
      await promisify(execFile)(this.program, ['-t', '-q', '-p', this.directory, '-c', file, '-e', 'stderr']);
    } catch (error) {
      if (codeOf(error) === 'ENOENT')
        throw new UserError(
          `${this.program} is not on this machine`,
          'apt-get install nginx-light, or name it with --nginx',
        );
      throw new Error(`nginx refuses its configuration: ${String((error as { stderr?: string }).stderr).trim()}`);
    }
  }

  #start(): void {
    const file = join(this.directory, 'nginx.conf');
    const words = ['-p', this.directory, '-c', file, '-e', 'stderr', '-g', 'daemon off;'];
    const child = spawn(this.program, words, { stdio: ['ignore', 'ignore', 'inherit'] });
    const startedAt = Date.now();
    this.#child = child;
    child.once('exit', code => {
      this.#child = undefined;
      if (this.#closed) return;
      this.#deaths = Date.now() - startedAt > retry.maxMs ? 1 : this.#deaths + 1;
      this.log.error({ code }, 'nginx has ended: started again');
      setTimeout(() => this.#closed || this.#start(), backoffDelay(retry, this.#deaths));
    });
  }

  async #forgetCertificates(kept: ReadonlyMap<string, string>): Promise<void> {
    const folder = join(this.directory, 'certificates');
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      if (!kept.has(path)) await rm(path, { force: true });
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const child = this.#child;
    if (!child) return;
    const ended = new Promise(resolve => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
    await rm(this.directory, { recursive: true, force: true });
  }
}

async function writeSecret(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(path, content, { mode: 0o600 });
  await chmod(path, 0o600);
}
