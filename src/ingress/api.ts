/** The API as a client sees it: one kind followed by list and watch, and single requests. Over one kept connection each. */
import { Agent, type RequestOptions, request } from 'node:https';
import { backoffDelay } from '../base/backoff.js';
import { describe } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import type { KubeObject } from '../kube/meta.js';

export interface ApiAccess {
  /** `https://10.96.0.1:443` */
  readonly server: string;
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface Answer {
  readonly code: number;
  readonly body: { readonly [field: string]: unknown };
}

const retry = { initialMs: 200, maxMs: 10_000, factor: 2 } as const;
const timeoutMs = 10_000;

export class Api {
  readonly #base: RequestOptions;
  readonly #server: URL;

  constructor({ server, ca, cert, key }: ApiAccess) {
    this.#server = new URL(server);
    this.#base = { ca, cert, key, agent: new Agent({ keepAlive: true, ca, cert, key }) };
  }

  /** Rejects only if nobody answers. */
  send(method: string, path: string, body?: object, type = 'application/json'): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = body ? { 'content-type': type } : {};
      const call = request(new URL(path, this.#server), { ...this.#base, method, headers, timeout: timeoutMs });
      call.on('error', reject);
      call.on('timeout', () => call.destroy(new Error('no answer in 10 s')));
      call.on('response', response => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        response.on('error', reject);
        response.on('end', () => resolve({ code: response.statusCode ?? 0, body: text ? JSON.parse(text) : {} }));
      });
      call.end(body && JSON.stringify(body));
    });
  }

  /** Lines of a watch. Resolves at its end. */
  watch(path: string, onLine: (line: string) => void): { readonly ended: Promise<void>; close(): void } {
    const call = request(new URL(path, this.#server), { ...this.#base });
    const ended = new Promise<void>((resolve, reject) => {
      call.on('error', reject);
      call.on('response', response => {
        let rest = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          const lines = (rest + part).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) if (line !== '') onLine(line);
        });
        response.on('error', reject);
        response.on('close', resolve);
      });
    });
    call.end();
    return { ended, close: () => call.destroy() };
  }
}

interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: KubeObject;
}

/** All objects of one kind, as they are now. */
export class Followed<T extends KubeObject> {
  readonly #objects = new Map<string, T>();
  #watch: { close(): void } | undefined;
  #closed = false;
  #synced = false;

  /** @param path of the collection, `/api/v1/services` */
  constructor(
    readonly api: Api,
    readonly path: string,
    readonly onChange: () => void,
    readonly log: Logger,
  ) {
    void this.#follow();
  }

  get synced(): boolean {
    return this.#synced;
  }

  all(): T[] {
    return [...this.#objects.values()];
  }

  /** @param key `namespace/name` */
  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  close(): void {
    this.#closed = true;
    this.#watch?.close();
  }

  async #follow(): Promise<void> {
    for (let failures = 0; !this.#closed; ) {
      try {
        const version = await this.#list();
        failures = 0;
        await this.#follows(version);
      } catch (error) {
        if (this.#closed) return;
        failures++;
        this.log.debug({ path: this.path, error: describe(error) }, 'the API cannot be followed: tried again');
        await new Promise(resolve => setTimeout(resolve, backoffDelay(retry, failures)));
      }
    }
  }

  async #list(): Promise<string> {
    const { code, body } = await this.api.send('GET', this.path);
    if (code !== 200) throw new Error(`${this.path}: ${String(body['message'] ?? code)}`);
    const { items, metadata } = body as unknown as { items: T[]; metadata: { resourceVersion: string } };
    this.#objects.clear();
    for (const item of items) this.#objects.set(keyOf(item), item);
    this.#synced = true;
    this.onChange();
    return metadata.resourceVersion;
  }

  async #follows(version: string): Promise<void> {
    const query = `${this.path.includes('?') ? '&' : '?'}watch=1&resourceVersion=${version}`;
    const watch = this.api.watch(this.path + query, line => {
      const { type, object } = JSON.parse(line) as WatchEvent;
      // too far behind: listed again
      if (type === 'ERROR') return watch.close();
      if (type === 'DELETED') this.#objects.delete(keyOf(object));
      else if (type !== 'BOOKMARK') this.#objects.set(keyOf(object), object as T);
      this.onChange();
    });
    this.#watch = watch;
    await watch.ended;
  }
}

const keyOf = ({ metadata }: KubeObject): string =>
  metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name;
