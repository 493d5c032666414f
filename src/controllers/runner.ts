/**
 * Runs all controllers: wakes them by key, never runs one key twice at once, carries out their actions with optimistic
 * concurrency, and tries again after a lost race or an error. Only the runner's files have `await`.
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
import type { Action, Controller, Facts, FactsView, Key, Refusal, Seen, Target } from './contract.js';
import { isRefusal, Refusals } from './refusals.js';
import { type Creation, groupsOf, slowStart } from './runner-batches.js';
import { Teller } from './runner-events.js';
import { write } from './runner-write.js';

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

/** How long a name that is taken is left alone, in case the controller has nothing better to do than to try it again. */
const takenMs = 1000;
/** A key rests for this many times what its last decision took, so that a storm of changes costs a tenth of one core. */
const restFactor = 9;
const longestRestMs = 250;

class Runner {
  readonly #controller: Controller;
  readonly #options: RunnerOptions;
  readonly #view: FactsView;
  readonly #queue: KeyedQueue<Key>;
  readonly #subscription: { close(): void };
  readonly #seen = new Map<string, number>();
  readonly #started: number;
  /** The revision of the last write made for a key: it runs again only when the cache has that. */
  readonly #written = new Map<Key, number>();
  readonly #refusals = new Refusals();
  readonly #teller: Teller;
  /** Until when a key whose decisions are costly rests, by the clock of `performance`. */
  readonly #resting = new Map<Key, number>();

  constructor(controller: Controller, options: RunnerOptions, owners: OwnerIndex) {
    this.#controller = controller;
    this.#options = options;
    this.#view = factsView(options.view, options.kinds, owners);
    this.#started = options.now();
    this.#teller = new Teller(`${controller.name}-controller`, options);
    this.#queue = new KeyedQueue<Key>({
      run: key => this.#run(key),
      onError: (key, error, retryMs) =>
        options.log.error({ controller: controller.name, key, retryMs, error: describe(error) }, 'reconcile failed'),
      concurrency: controller.concurrency ?? 1,
    });
    this.#subscription = options.view.subscribe(change => this.#wake(change));
    for (const key of controller.startKeys ?? []) this.#queue.add(key);
    for (const { kind, keys } of controller.wakes) {
      for (const name of kind === '**' ? options.view.ids : kind === '*' ? namespacedKinds(options.view) : [kind])
        for (const object of options.view.list(name))
          for (const key of keys(object, false, this.#view)) this.#queue.add(key);
    }
  }

  async close(): Promise<void> {
    this.#subscription.close();
    await this.#queue.close();
    await this.#teller.close();
  }

  #wake({ type, kind, object, previous }: ObjectChange): void {
    const { namespace, name } = object.metadata;
    if (this.#controller.observes?.includes(kind)) this.#seen.set(seenKey(kind, namespace, name), this.#options.now());
    for (const wake of this.#controller.wakes) {
      if (wake.kind !== kind && wake.kind !== '**' && !(wake.kind === '*' && namespace)) continue;
      for (const key of wake.keys(object, type === 'DELETED', this.#view)) this.#queue.add(key);
      if (previous) for (const key of wake.keys(previous, false, this.#view)) this.#queue.add(key);
    }
  }

  async #run(key: Key): Promise<RunResult> {
    const { view, now } = this.#options;
    if (view.revision < (this.#written.get(key) ?? 0)) return { againAfterMs: 5 };
    this.#written.delete(key);
    const restMs = this.#restMs(key);
    if (restMs > 0) return { againAfterMs: restMs };
    const { actions, requeueAfterMs } = this.#decide(key);
    const retryMs = this.#refusals.retryMs(key, now());
    const told = this.#refusals.of(key);
    const refusal = await this.#carryOut(key, actions, retryMs > 0);
    const creates = actions.some(action => action.do === 'create');
    if (refusal) this.#refusals.add(key, refusal, now());
    else if (!creates || retryMs <= 0) this.#refusals.delete(key);
    // at the first refusal the controller is asked again at once, to say so
    const retry = refusal && !told ? 0 : this.#refusals.retryMs(key, now());
    const waits = [requeueAfterMs, this.#refusals.of(key) && retry].filter(ms => ms !== undefined);
    return waits.length > 0 ? { againAfterMs: Math.min(...waits) } : undefined;
  }

  /** Runs the decision, and takes down how long the key has to rest for it. */
  #decide(key: Key): ReturnType<Controller['reconcile']> {
    const began = performance.now();
    const outcome = this.#controller.reconcile(this.#facts(key), key);
    const ended = performance.now();
    if (ended - began > 1) this.#resting.set(key, ended + Math.min(longestRestMs, restFactor * (ended - began)));
    return outcome;
  }

  #restMs(key: Key): number {
    const until = this.#resting.get(key);
    if (until === undefined) return 0;
    const leftMs = until - performance.now();
    if (leftMs <= 0) this.#resting.delete(key);
    return Math.ceil(leftMs);
  }

  #facts(key: Key): Facts {
    const { now, random = Math.random } = this.#options;
    return {
      view: this.#view,
      now: now(),
      random,
      seenAt: (kind, namespace, name) => this.#seen.get(seenKey(kind, namespace, name)) ?? this.#started,
      refused: this.#refusals.of(key),
    };
  }

  /** @param held creates are left out; @returns the first refusal of a create, if any */
  async #carryOut(key: Key, actions: readonly Action[], held: boolean): Promise<Refusal | undefined> {
    let refusal: Refusal | undefined;
    for (const group of groupsOf(actions)) {
      if (group.do === 'create') refusal ??= held ? undefined : await this.#createAll(key, group.actions);
      else await Promise.all(group.actions.map(action => this.#apply(key, action)));
    }
    return refusal;
  }

  #createAll(key: Key, creations: readonly Creation[]): Promise<Refusal | undefined> {
    return slowStart(creations, async creation => {
      try {
        await this.#apply(key, creation);
        return undefined;
      } catch (error) {
        if (!isRefusal(error)) throw error;
        const { controller, log } = { controller: this.#controller.name, log: this.#options.log };
        log.debug({ controller, key, name: creation.object.metadata.name, error: error.message }, 'create refused');
        return { message: error.message, reason: error.reason };
      }
    });
  }

  async #apply(key: Key, action: Action): Promise<void> {
    const { log, now } = this.#options;
    if (action.do === 'event') return this.#teller.send(action);
    const began = now();
    const tell = 'tell' in action ? action.tell : undefined;
    try {
      const revision = await write(action, this.#options);
      this.#written.set(key, Math.max(revision, this.#written.get(key) ?? 0));
      log.debug({ controller: this.#controller.name, key, action: action.do, ms: now() - began }, 'done');
      this.#teller.done(tell);
    } catch (error) {
      // someone was faster: decide again on what is there now; what is gone needs nothing
      if (error instanceof StatusError && (error.code === 409 || error.code === 404)) {
        if (error.reason === 'Conflict') this.#queue.add(key);
        if (error.reason === 'AlreadyExists') this.#queue.addAfter(key, takenMs);
        return;
      }
      this.#teller.failed(tell, error);
      throw error;
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
    get namespacedKinds() {
      return namespacedKinds(view);
    },
    countedAs: kind => kinds.byId(kind),
    dependents: uid => owners.dependents(uid) as Seen[],
    orphans: (kind, namespace) => owners.orphans(kind, namespace) as Seen[],
    kindOf: (apiVersion, kind) => {
      const found = kinds.ofObject(apiVersion, kind);
      return found && { name: idOf(found), namespaced: found.namespaced };
    },
  };
}
