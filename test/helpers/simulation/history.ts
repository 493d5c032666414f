/**
 * One random history of a simulated cluster: real controllers, fake nodes, users who do whatever they like, processes that
 * die. A scenario says what users do, what must hold at every change, and what must be so when all is quiet again.
 *
 * To try another controller: write a `Scenario` and hand it to `tryHistories`.
 */
import type { Controller } from '../../../src/controllers/contract.js';
import { StatusError } from '../../../src/kube/status.js';
import { Clock } from './clock.js';
import { Dice } from './dice.js';
import { nameOf, SimulatedNodes } from './nodes.js';
import { SimulatedRunner } from './runner.js';
import { World, type WorldChange } from './world.js';

/** All that a scenario can reach. */
export interface Cluster {
  readonly world: World;
  readonly nodes: SimulatedNodes;
  readonly dice: Dice;
  /** Controllers die and come back, all of them or by name. */
  restart(name?: string): void;
  /** A line for the story that a failed history is told by. */
  log(line: string): void;
}

export interface Scenario {
  readonly name: string;
  readonly controllers: readonly Controller[];
  /** Makes the first objects. */
  setUp(cluster: Cluster): void;
  /** What users do; one is picked at a time. It may find nothing to do. */
  readonly operations: Readonly<Record<string, (cluster: Cluster) => void>>;
  /** Called at every change; throws or returns what is wrong. One is made for each history: it may remember. */
  invariant(cluster: Cluster): (change: WorldChange) => string | undefined;
  /** Undoes what keeps the cluster from coming to rest: bad images, dead nodes. */
  heal(cluster: Cluster): void;
  /** What is not as it should be, after everything has come to rest. */
  settled(cluster: Cluster): readonly string[];
}

/** A history that has not come to rest after so many events never will. */
const mostEvents = 20_000;
const longestPauseMs = 20_000;

class Broken extends Error {}

/** @returns the complaint, or undefined; @param log gets the story */
export function runHistory(scenario: Scenario, seed: number, log?: (line: string) => void): string | undefined {
  const dice = new Dice(seed);
  const clock = new Clock();
  const world = new World(clock, seed % 20 === 0);
  const began = clock.now;
  const tell = (line: string): void => log?.(`${((clock.now - began) / 1000).toFixed(3)} ${line}`);
  const nodes = new SimulatedNodes(world, dice, dice.between(1, 4));
  const runners = scenario.controllers.map(controller => new SimulatedRunner(controller, world, dice, tell));
  const restart = (name?: string): void => {
    for (const runner of runners) if (name === undefined || runner.name === name) runner.restart();
  };
  const cluster: Cluster = { world, nodes, dice, restart, log: tell };
  const check = scenario.invariant(cluster);
  world.subscribe(change => {
    if (log) tell(`${change.by}: ${change.type} ${nameOf(change.object)} ${difference(change)}`);
    const wrong = check(change);
    if (wrong !== undefined) throw new Broken(wrong);
  });
  try {
    scenario.setUp(cluster);
    const last = plan(scenario, cluster);
    // healed at any moment: in the middle of things, or when even a progress deadline has passed
    rest(clock, clock.now + last + (dice.chance(0.5) ? dice.between(0, 20_000) : dice.between(0, 900_000)));
    tell('heal');
    scenario.heal(cluster);
    rest(clock);
    return scenario.settled(cluster)[0];
  } catch (error) {
    if (error instanceof Broken) return error.message;
    throw error;
  }
}

/** @returns milliseconds until the last operation */
function plan(scenario: Scenario, cluster: Cluster): number {
  const names = Object.keys(scenario.operations);
  let ms = 0;
  for (let left = cluster.dice.between(1, 8); left > 0; left--) {
    // often in the middle of what the last one has caused
    ms += cluster.dice.chance(0.6) ? cluster.dice.between(0, 500) : cluster.dice.between(0, longestPauseMs);
    const name = cluster.dice.pick(names)!;
    cluster.world.clock.after(ms, () => {
      cluster.log(`user: ${name}`);
      refusable(() => scenario.operations[name]!(cluster));
    });
  }
  return ms;
}

/** The API may say no to users as well. */
function refusable(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
  }
}

/** Until there is nothing more to do, or that time has come. */
function rest(clock: Clock, until = Number.POSITIVE_INFINITY): void {
  for (let events = 0; clock.step(until); events++)
    if (events > mostEvents) throw new Broken(`no rest after ${mostEvents} events`);
}

/** What has changed, without what a template repeats. */
function difference({ object, previous }: WorldChange): string {
  const parts = ['spec', 'status'].flatMap(part => changed(part, object[part], previous?.[part]));
  const labels = changed('labels', object.metadata.labels, previous?.metadata.labels);
  const leaving = object.metadata.deletionTimestamp ? ['leaving'] : [];
  return [...parts, ...labels, ...leaving].join(' ').slice(0, 600);
}

function changed(part: string, now: unknown, before: unknown): string[] {
  const [is, was] = [(now ?? {}) as Record<string, unknown>, (before ?? {}) as Record<string, unknown>];
  return [...new Set([...Object.keys(is), ...Object.keys(was)])]
    .filter(key => JSON.stringify(is[key]) !== JSON.stringify(was[key]))
    .map(key => `${part}.${key}=${JSON.stringify(is[key])?.slice(0, 300)}`);
}

/**
 * Runs histories of seeds 1 to `count`, or only that of KEELSON_SEED, with its story. Throws at the first that fails, with
 * its seed and the end of its story.
 */
export function tryHistories(scenario: Scenario, count: number): void {
  const only = process.env.KEELSON_SEED;
  if (only !== undefined) return tell(scenario, Number(only), true);
  for (let seed = 1; seed <= count; seed++) if (isBroken(scenario, seed)) tell(scenario, seed, false);
}

function isBroken(scenario: Scenario, seed: number): boolean {
  try {
    return runHistory(scenario, seed) !== undefined;
  } catch {
    return true;
  }
}

function tell(scenario: Scenario, seed: number, prints: boolean): void {
  const story: string[] = [];
  let complaint: string | undefined;
  try {
    complaint = runHistory(scenario, seed, line => story.push(line));
  } catch (error) {
    complaint = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  if (prints) console.log(story.join('\n'));
  if (complaint === undefined) return;
  const end = story.slice(-60).join('\n');
  throw new Error(`${scenario.name}: ${complaint}\nKEELSON_SEED=${seed} runs this history again. Its end:\n${end}`);
}
