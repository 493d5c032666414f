/**
 * Runs real controllers in a simulated cluster as the real runner does, but with time to lose between a decision and each
 * of its writes: others write in between, writes of one batch arrive in any order, and the process may die half-way.
 */
import type { Action, Controller, Key } from '../../../src/controllers/contract.js';
import { isRefusal, Refusals } from '../../../src/controllers/refusals.js';
import { groupsOf } from '../../../src/controllers/runner-batches.js';
import { StatusError } from '../../../src/kube/status.js';
import type { Dice } from './dice.js';
import type { World, WorldChange } from './world.js';

/** The longest delay of a run or a write, in milliseconds. */
const latencyMs = 20;

export class SimulatedRunner {
  readonly name: string;
  readonly #controller: Controller;
  readonly #world: World;
  readonly #dice: Dice;
  readonly #log: (line: string) => void;
  /** Grows with every restart: what an earlier life has begun does not go on. */
  #life = 0;
  #busy = new Set<Key>();
  #dirty = new Set<Key>();
  #waiting = new Set<Key>();
  /** When a key is to run again by itself; later answers replace earlier ones. */
  #timers = new Map<Key, object>();
  #refusals = new Refusals();
  #seen = new Map<string, number>();

  constructor(controller: Controller, world: World, dice: Dice, log: (line: string) => void) {
    this.name = controller.name;
    this.#controller = controller;
    this.#world = world;
    this.#dice = dice;
    this.#log = log;
    world.subscribe(change => this.#wake(change));
    this.#start();
  }

  /** The process dies, and another one begins with what is stored. */
  restart(): void {
    this.#life++;
    this.#busy = new Set();
    this.#dirty = new Set();
    this.#waiting = new Set();
    this.#timers = new Map();
    this.#refusals = new Refusals();
    this.#seen = new Map();
    this.#start();
  }

  #start(): void {
    for (const key of this.#controller.startKeys ?? []) this.#add(key);
    for (const { kind, keys } of this.#controller.wakes)
      for (const name of kind.startsWith('*') ? this.#world.kinds : [kind])
        for (const object of this.#world.list(name))
          for (const key of keys(object, false, this.#world.view)) this.#add(key);
  }

  #wake({ type, object, previous }: WorldChange): void {
    const { kind, metadata } = object;
    if (this.#controller.observes?.includes(kind))
      this.#seen.set(`${kind}/${metadata.namespace ?? ''}/${metadata.name}`, this.#world.clock.now);
    for (const wake of this.#controller.wakes) {
      if (wake.kind !== kind && wake.kind !== '**' && !(wake.kind === '*' && metadata.namespace)) continue;
      for (const key of wake.keys(object, type === 'DELETED', this.#world.view)) this.#add(key);
      if (previous) for (const key of wake.keys(previous, false, this.#world.view)) this.#add(key);
    }
  }

  #add(key: Key): void {
    this.#timers.delete(key);
    if (this.#busy.has(key)) this.#dirty.add(key);
    else if (!this.#waiting.has(key)) {
      this.#waiting.add(key);
      this.#later(() => this.#run(key));
    }
  }

  #later(run: () => void, ms: number = this.#dice.between(0, latencyMs)): void {
    const life = this.#life;
    this.#world.clock.after(ms, () => {
      if (life === this.#life) run();
    });
  }

  #addAfter(key: Key, ms: number): void {
    const timer = {};
    this.#timers.set(key, timer);
    this.#later(() => {
      if (this.#timers.get(key) === timer) this.#add(key);
    }, ms);
  }

  #run(key: Key): void {
    this.#waiting.delete(key);
    this.#busy.add(key);
    const { clock, view } = this.#world;
    const told = this.#refusals.of(key);
    const held = this.#refusals.retryMs(key, clock.now) > 0;
    const { actions, requeueAfterMs } = this.#controller.reconcile(
      {
        view,
        now: clock.now,
        random: this.#dice.next,
        seenAt: (kind, namespace, name) => this.#seen.get(`${kind}/${namespace ?? ''}/${name}`) ?? 0,
        refused: told,
      },
      key,
    );
    const creates = actions.some(action => action.do === 'create');
    if (!creates) this.#refusals.delete(key);
    let refused = false;
    const done = (): void => {
      if (creates && !refused && !held) this.#refusals.delete(key);
      const retryMs = refused && !told ? 0 : Math.max(0, this.#refusals.retryMs(key, clock.now));
      const waits = [requeueAfterMs, this.#refusals.of(key) && retryMs].filter(ms => ms !== undefined);
      this.#end(key, waits.length > 0 ? Math.min(...waits) : undefined);
    };
    const writes = groupsOf(actions).flatMap(({ actions: group }) => this.#dice.shuffled<Action>(group));
    const next = (at: number): void => {
      const action = writes[at];
      if (!action) return done();
      const isSkipped = action.do === 'create' && (held || refused);
      if (action.do === 'event' || isSkipped) return next(at + 1);
      this.#later(() => {
        refused = this.#apply(key, action) || refused;
        next(at + 1);
      });
    };
    next(0);
  }

  #end(key: Key, againAfterMs: number | undefined): void {
    this.#busy.delete(key);
    if (this.#dirty.delete(key)) this.#add(key);
    else if (againAfterMs !== undefined) this.#addAfter(key, againAfterMs);
  }

  /** True: it was refused. */
  #apply(key: Key, action: Action): boolean {
    try {
      this.#write(action);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      this.#log(`  ${this.name} ${key}: ${error.message}`);
      if (error.reason === 'Conflict') this.#dirty.add(key);
      if (error.reason === 'AlreadyExists') this.#addAfter(key, 1000);
      if (!isRefusal(error)) return false;
      this.#refusals.add(key, { message: error.message, reason: error.reason }, this.#world.clock.now);
      return true;
    }
    return false;
  }

  #write(action: Action): void {
    switch (action.do) {
      case 'create':
        return void this.#world.create(action.object, this.name);
      case 'patch':
        return void this.#world.patch(action.target, action.patch, this.name, action);
      case 'delete':
        return void this.#world.delete(action.target, this.name, action);
      default:
        return undefined;
    }
  }
}
