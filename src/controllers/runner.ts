/**
 * Runs all controllers: wakes them by key, never runs one key twice at once, carries out their actions with optimistic
 * concurrency, and tries again after a lost race or an error. The only file here with `await`.
 */
import type { ApiClient } from '../api/client.js';
import { idOf } from '../api/kind.js';
import type { KindRegistry } from '../api/kind-registry.js';
import { OwnerIndex } from '../api/owners.js';
import type { ObjectChange, View } from '../api/view.js';
import { describe } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import { KeyedQueue, type RunResult } from '../base/queue.js';
import { StatusError } from '../kube/status.js';
import type { Action, Controller, Facts, FactsView, Key, Seen, Target } from './contract.js';

export interface RunnerOptions {
  readonly controllers: readonly Controller[];
  readonly view: View;
  readonly client: ApiClient;
  readonly kinds: KindRegistry;
  readonly log: Logger;
  /** Makes what needs a key; resolves with the revision it is stored at. */
  readonly issue?: (what: 'certificate' | 'token', target: Target) => Promise<number>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly random?: () => number;
}

export function startControllers(options: RunnerOptions): { close(): Promise<void> } {
  const owners = new OwnerIndex(options.view);
  const runners = options.controllers.map(controller => new Runner(controller, options, owners));
  return {
    close: async () => {
      owners.close();
      await Promise.all(runners.map(runner => runner.close()));
    },
  };
}

/** So many deletions are under way at once: the store puts them into one transaction. */
const deleteBatch = 100;

class Runner {
  readonly #controller: Controller;
  readonly #options: RunnerOptions;
  readonly #owners: OwnerIndex;
  readonly #queue: KeyedQueue<Key>;
  readonly #subscription: { close(): void };
  readonly #seen = new Map<string, number>();
  readonly #started: number;
  /** The revision of the last write made for a key: it runs again only when the cache has that. */
  readonly #written = new Map<Key, number>();

  constructor(controller: Controller, options: RunnerOptions, owners: OwnerIndex) {
    this.#controller = controller;
    this.#owners = owners;
    this.#options = options;
    this.#started = options.now();
    this.#queue = new KeyedQueue<Key>({
      run: key => this.#run(key),
      onError: (key, error, retryMs) =>
        options.log.error({ controller: controller.name, key, retryMs, error: describe(error) }, 'reconcile failed'),
    });
    this.#subscription = options.view.subscribe(change => this.#wake(change));
    for (const key of controller.startKeys ?? []) this.#queue.add(key);
    for (const { kind, keys } of controller.wakes) {
      for (const name of kind === '**' ? options.view.ids : kind === '*' ? namespacedKinds(options.view) : [kind])
        for (const object of options.view.list(name)) for (const key of keys(object, false)) this.#queue.add(key);
    }
  }

  async close(): Promise<void> {
    this.#subscription.close();
    await this.#queue.close();
  }

  #wake({ type, kind, object, previous }: ObjectChange): void {
    const { namespace, name } = object.metadata;
    if (this.#controller.observes?.includes(kind)) this.#seen.set(seenKey(kind, namespace, name), this.#options.now());
    for (const wake of this.#controller.wakes) {
      if (wake.kind !== kind && wake.kind !== '**' && !(wake.kind === '*' && namespace)) continue;
      for (const key of wake.keys(object, type === 'DELETED')) this.#queue.add(key);
      if (previous) for (const key of wake.keys(previous, false)) this.#queue.add(key);
    }
  }

  async #run(key: Key): Promise<RunResult> {
    const { view } = this.#options;
    if (view.revision < (this.#written.get(key) ?? 0)) return { againAfterMs: 5 };
    this.#written.delete(key);
    const { actions, requeueAfterMs } = this.#controller.reconcile(this.#facts(), key);
    for (const group of groups(actions)) await Promise.all(group.map(action => this.#apply(key, action)));
    return requeueAfterMs === undefined ? undefined : { againAfterMs: requeueAfterMs };
  }

  #facts(): Facts {
    const { view, kinds, now, random = Math.random } = this.#options;
    return {
      view: factsView(view, kinds, this.#owners),
      now: now(),
      random,
      seenAt: (kind, namespace, name) => this.#seen.get(seenKey(kind, namespace, name)) ?? this.#started,
    };
  }

  async #apply(key: Key, action: Action): Promise<void> {
    const { log, now } = this.#options;
    const began = now();
    try {
      const revision = await this.#write(action);
      this.#written.set(key, Math.max(revision, this.#written.get(key) ?? 0));
      log.debug({ controller: this.#controller.name, key, action: action.do, ms: now() - began }, 'done');
    } catch (error) {
      // someone was faster: decide again on what is there now; what is gone needs nothing
      if (error instanceof StatusError && (error.code === 409 || error.code === 404)) {
        if (error.reason === 'Conflict') this.#queue.add(key);
        return;
      }
      throw error;
    }
  }

  #kindName({ apiVersion, kind }: { apiVersion?: string | undefined; kind: string }): string {
    const found = apiVersion === undefined ? undefined : this.#options.kinds.ofObject(apiVersion, kind);
    return found ? idOf(found) : kind;
  }

  async #write(action: Action): Promise<number> {
    const { client } = this.#options;
    switch (action.do) {
      case 'create':
        return (await client.create(this.#kindName(action.object), action.object)).revision;
      case 'patch':
        return (
          await client.patch(
            this.#kindName(action.target),
            { ...action.target, resourceVersion: action.at },
            action.patch,
            action.subresource,
          )
        ).revision;
      case 'issue':
        return (await this.#options.issue?.(action.what, action.target)) ?? 0;
      case 'delete':
        return (
          await client.delete(this.#kindName(action.target), action.target, {
            gracePeriodSeconds: action.graceSeconds,
            propagation: action.propagation,
          })
        ).revision;
      case 'event':
        return (
          await client.event(
            `${this.#controller.name}-controller`,
            action.about,
            action.type,
            action.reason,
            action.message,
          )
        ).revision;
    }
  }
}

const seenKey = (kind: string, namespace: string | undefined, name: string): string =>
  `${kind}/${namespace ?? ''}/${name}`;

function namespacedKinds(view: View): string[] {
  return view.kinds.filter(kind => kind.namespaced).map(idOf);
}

function factsView(view: View, kinds: KindRegistry, owners: OwnerIndex): FactsView {
  return {
    get: (kind, namespace, name) => view.get(kind, namespace, name) as Seen | undefined,
    list: (kind, namespace) => view.list(kind, namespace) as Seen[],
    namespacedKinds: namespacedKinds(view),
    countedAs: kind => kinds.byId(kind),
    dependents: uid => owners.dependents(uid) as Seen[],
    kindOf: (apiVersion, kind) => {
      const found = kinds.ofObject(apiVersion, kind);
      return found && { name: idOf(found), namespaced: found.namespaced };
    },
  };
}

/** Neighbouring deletions together, everything else one after the other. */
function groups(actions: readonly Action[]): Action[][] {
  const result: Action[][] = [];
  for (const action of actions) {
    const last = result.at(-1);
    if (action.do === 'delete' && last?.[0]?.do === 'delete' && last.length < deleteBatch) last.push(action);
    else result.push([action]);
  }
  return result;
}
