/**
 * Follows the folder of device files and the device nodes they name: inotify plus a look every 10 s, because nodes come
 * and go in /dev without a word. A file that cannot be used keeps what it said when it last made sense.
 */
import { type FSWatcher, watch } from 'node:fs';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe } from '../../src/base/errors.js';
import { KeyedQueue } from '../../src/base/queue.js';
import type { Inventory, KnownDevice } from './allocate.js';
import { DeviceFileError, type DevicePlugin, parsePlugin } from './plugin-file.js';

const rescanMs = 10_000;
const maxFileBytes = 1024 * 1024;

export interface PluginFilesOptions {
  readonly directory: string;
  /** What there is has changed. */
  readonly onChange: (inventory: Inventory) => void;
  /** A file that could not be used; told once per message. */
  readonly onProblem: (message: string) => void;
}

export class PluginFiles {
  readonly #queue: KeyedQueue<'scan'>;
  readonly #problems = new Map<string, string>();
  readonly #good = new Map<string, DevicePlugin>();
  #shown = '';
  #watcher: FSWatcher | undefined;

  constructor(readonly options: PluginFilesOptions) {
    this.#queue = new KeyedQueue<'scan'>({
      run: async () => {
        await this.scan();
        return { againAfterMs: rescanMs };
      },
      onError: (_, error) => options.onProblem(`${options.directory}: ${describe(error)}`),
    });
  }

  /** Resolves when everything has been read once. */
  async start(): Promise<void> {
    await mkdir(this.options.directory, { recursive: true, mode: 0o755 });
    this.#watcher = watch(this.options.directory, () => this.#queue.add('scan'));
    this.#watcher.on('error', error => this.options.onProblem(`${this.options.directory}: ${describe(error)}`));
    await this.scan();
    this.#queue.add('scan');
  }

  async scan(): Promise<void> {
    const names = (await readdir(this.options.directory)).filter(n => /^[^.].*\.(ya?ml|json)$/.test(n)).sort();
    for (const known of [this.#problems, this.#good])
      for (const name of known.keys()) if (!names.includes(name)) known.delete(name);
    const plugins = new Map<string, DevicePlugin>();
    for (const name of names) {
      const plugin = await this.#read(name);
      if (plugin && plugins.has(plugin.resource))
        this.#complain(name, `${name}: resource "${plugin.resource}": another file describes it already`);
      else if (plugin) plugins.set(plugin.resource, plugin);
    }
    await this.#show(plugins);
  }

  async #show(plugins: ReadonlyMap<string, DevicePlugin>): Promise<void> {
    const inventory = new Map<string, readonly KnownDevice[]>();
    for (const [resource, { devices }] of plugins) inventory.set(resource, await Promise.all(devices.map(known)));
    const text = JSON.stringify([...inventory]);
    if (text === this.#shown) return;
    this.#shown = text;
    this.options.onChange(inventory);
  }

  async #read(name: string): Promise<DevicePlugin | undefined> {
    try {
      const content = await readFile(join(this.options.directory, name));
      if (content.length > maxFileBytes)
        throw new DeviceFileError(`${name}: ${content.length} bytes; at most ${maxFileBytes} are allowed`);
      const plugin = parsePlugin(name, content.toString('utf8'));
      this.#problems.delete(name);
      this.#good.set(name, plugin);
      return plugin;
    } catch (error) {
      this.#complain(name, describe(error));
      return this.#good.get(name);
    }
  }

  #complain(name: string, message: string): void {
    if (this.#problems.get(name) !== message) this.options.onProblem(message);
    this.#problems.set(name, message);
  }

  async close(): Promise<void> {
    this.#watcher?.close();
    await this.#queue.close();
  }
}

async function known(device: DevicePlugin['devices'][number]): Promise<KnownDevice> {
  const there = await Promise.all(device.nodes.map(({ hostPath }) => isDevice(hostPath)));
  return { ...device, healthy: there.every(Boolean) };
}

const isDevice = (path: string): Promise<boolean> =>
  stat(path).then(
    found => found.isCharacterDevice() || found.isBlockDevice(),
    () => false,
  );
