/** Follows the folder of static-pod manifests: inotify plus a rescan every 20 s (reliability rule A10). */
import { type FSWatcher, watch } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe } from '../../src/base/errors.js';
import { KeyedQueue } from '../../src/base/queue.js';
import type { Pod } from '../../src/kube/pod.js';
import { parseStaticPod } from './static-pod.js';

const rescanMs = 20_000;
const maxManifestBytes = 3 * 1024 * 1024;

export interface StaticFilesOptions {
  readonly directory: string;
  readonly nodeName: string;
  readonly onPods: (pods: readonly Pod[]) => void;
  /** A file that could not be used; told once per content. */
  readonly onProblem: (file: string, message: string) => void;
}

export class StaticFiles {
  readonly #options: StaticFilesOptions;
  readonly #queue: KeyedQueue<'scan'>;
  readonly #problems = new Map<string, string>();
  /** What each file said when it last made sense: a typing error in it must not stop a running pod. */
  readonly #good = new Map<string, Pod>();
  #watcher: FSWatcher | undefined;

  constructor(options: StaticFilesOptions) {
    this.#options = options;
    this.#queue = new KeyedQueue<'scan'>({
      run: async () => {
        await this.scan();
        return { againAfterMs: rescanMs };
      },
      onError: (_, error) => options.onProblem(options.directory, describe(error)),
    });
  }

  async start(): Promise<void> {
    await mkdir(this.#options.directory, { recursive: true, mode: 0o700 });
    this.#watcher = watch(this.#options.directory, () => this.#queue.add('scan'));
    this.#watcher.on('error', error => this.#options.onProblem(this.#options.directory, describe(error)));
    this.#queue.add('scan');
  }

  async scan(): Promise<void> {
    const names = (await readdir(this.#options.directory))
      .filter(n => !n.startsWith('.') && /\.(ya?ml|json)$/.test(n))
      .sort();
    const found = await Promise.all(names.map(name => this.#read(name)));
    for (const known of [this.#problems, this.#good])
      for (const name of known.keys()) if (!names.includes(name)) known.delete(name);
    const pods = found.flatMap(pod => pod ?? []);
    const byName = new Map(pods.map(pod => [`${pod.metadata.namespace}/${pod.metadata.name}`, pod]));
    this.#options.onPods([...byName.values()]);
  }

  async #read(name: string): Promise<Pod | undefined> {
    const path = join(this.#options.directory, name);
    try {
      const content = await readFile(path);
      if (content.length > maxManifestBytes)
        throw new Error(`${path}: ${content.length} bytes; at most ${maxManifestBytes} are allowed`);
      const pod = parseStaticPod(path, content.toString('utf8'), this.#options.nodeName);
      this.#problems.delete(name);
      this.#good.set(name, pod);
      return pod;
    } catch (error) {
      const message = describe(error);
      if (this.#problems.get(name) !== message) this.#options.onProblem(path, message);
      this.#problems.set(name, message);
      return this.#good.get(name);
    }
  }

  async close(): Promise<void> {
    this.#watcher?.close();
    await this.#queue.close();
  }
}
