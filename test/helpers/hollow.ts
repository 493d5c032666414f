/** A controller with simulated nodes, no agent and no namespaces: for what only several nodes show. Leaves nothing behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { Cluster, repository } from './cluster.js';

const command = join(repository, 'bin/keelson');

export class HollowCluster {
  readonly #children: ChildProcess[] = [];
  private constructor(readonly cluster: Cluster) {}

  static async start(): Promise<HollowCluster> {
    const own = new HollowCluster(await Cluster.create({}));
    const { flags, port } = own.cluster;
    await own.#spawn(['controller', ...flags, '--port', String(port)], 'ready https://');
    return own;
  }

  /** Resolves when all are registered. The process's end is the end of the nodes. */
  async nodes(count: number, ...flags: string[]): Promise<ChildProcess> {
    return this.#spawn(['hollow', ...this.cluster.flags, '--nodes', String(count), ...flags], 'ready nodes=');
  }

  async #spawn(words: readonly string[], ready: string): Promise<ChildProcess> {
    const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#children.push(child);
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    await new Promise<void>((resolve, reject) => {
      child.stdout?.setEncoding('utf8').on('data', (text: string) => text.includes(ready) && resolve());
      child.once('exit', code => reject(new Error(`keelson ${words[0]} ended with ${code}:\n${said}`)));
    });
    return child;
  }

  async end(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise(resolve => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children.toReversed()) await this.end(child);
    await this.cluster[Symbol.asyncDispose]();
  }
}
