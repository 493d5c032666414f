/** A role of `keelson up` as a process of its own, which is started again when it dies. */
import { type ChildProcess, spawn } from 'node:child_process';
import { backoffDelay } from '../base/backoff.js';
import { failpointsVariable } from '../base/failpoint.js';
import { supervisedVariable } from './lifetime.js';

const restart = { initialMs: 100, maxMs: 5000, factor: 2 } as const;
/** A child that lived this long is started again without delay. */
const healthyMs = 10_000;

export class Child {
  #process: ChildProcess | undefined;
  #stopping = false;
  #deaths = 0;
  #wasReady = false;
  #giveUp: (started: false) => void = () => {};
  /** Resolves if it ends before it was ever ready. */
  readonly gaveUp = new Promise<false>(resolve => {
    this.#giveUp = resolve;
  });
  #exited: Promise<string> = Promise.resolve('was never started');
  /** For its first life only: a crash that is asked for must not come back with every start. */
  #failpoints: string | undefined = process.env[failpointsVariable];

  constructor(
    readonly role: string,
    readonly words: readonly string[],
    readonly environment: Readonly<Record<string, string>> = {},
  ) {}

  /** Resolves at the first line on standard output that starts with `word`. */
  start(word: string): Promise<void> {
    return new Promise(resolve => {
      if (!this.#stopping) this.#spawn(word, resolve);
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#process?.kill('SIGTERM');
    await this.#exited;
  }

  #spawn(word: string, onReady: () => void): void {
    const [command = '', ...args] = this.words;
    const startedAt = Date.now();
    // standard input is the children's life line: it ends with us, however we end
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...this.environment, [supervisedVariable]: '1', [failpointsVariable]: this.#failpoints },
    });
    this.#process = child;
    this.#failpoints = undefined;
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      text = (text + part).slice(-4096);
      if (!text.split('\n').some(line => line.startsWith(word))) return;
      this.#wasReady = true;
      onReady();
    });
    this.#exited = new Promise(resolve => {
      child.once('error', error => resolve(`cannot be run: ${error.message}`));
      child.once('exit', (code, signal) =>
        resolve(signal ? `was killed by ${signal}` : `ended with exit code ${code}`),
      );
    });
    void this.#exited.then(how => this.#died(how, startedAt, word, onReady));
  }

  #died(how: string, startedAt: number, word: string, onReady: () => void): void {
    if (this.#stopping) return;
    if (!this.#wasReady) {
      // with exit code 1 it has said itself what is wrong
      if (!how.endsWith(' 1')) process.stderr.write(`keelson up: the ${this.role} ${how} before it was ready\n`);
      this.#giveUp(false);
      return;
    }
    this.#deaths = Date.now() - startedAt > healthyMs ? 0 : this.#deaths + 1;
    const delay = backoffDelay(restart, this.#deaths);
    process.stderr.write(`keelson up: ${this.role} ${how}; starting it again in ${delay} ms\n`);
    setTimeout(() => {
      if (!this.#stopping) this.#spawn(word, onReady);
    }, delay);
  }
}
