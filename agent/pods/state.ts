/**
 * What one pod's worker and its parts hold in common: the newest object, the facts, and the handles behind them. The facts
 * are the truth; a handle is only how to reach what they speak of.
 */
import { backoffDelay } from '../../src/base/backoff.js';
import type { Pod } from '../../src/kube/pod.js';
import type { ContainerHandle } from '../containers/contract.js';
import type { PreparedVolume } from '../volumes/volumes.js';
import { type ContainerFacts, factsOf, type Obstacle, type PodFacts } from './facts.js';
import type { PodNode } from './node-contract.js';
import type { PodPaths } from './paths.js';
import { crashBackoff } from './restart.js';
import type { Sandbox } from './sandbox.js';

/** A live container as the worker holds it. */
export interface LiveContainer {
  readonly handle: ContainerHandle;
  readonly attempt: number;
  readonly stopSignal: number;
}

/** What a worker begins with: nothing, or what a former agent left. */
export interface WorkerState {
  readonly facts: PodFacts;
  readonly sandbox: Sandbox | undefined;
  readonly live: ReadonlyMap<string, LiveContainer>;
  /** The pod's directory exists on disk. */
  readonly recorded: boolean;
}

export class PodState {
  sandbox: Sandbox | undefined;
  volumes: ReadonlyMap<string, PreparedVolume> | undefined;
  readonly live = new Map<string, LiveContainer>();

  constructor(
    readonly node: PodNode,
    readonly paths: PodPaths,
    public pod: Pod,
    public facts: PodFacts,
    /** Asks for another run of the worker. */
    readonly wake: () => void,
  ) {}

  setContainer(name: string, state: ContainerFacts): void {
    this.facts = { ...this.facts, containers: { ...this.facts.containers, [name]: state } };
  }

  /** One more failure of the same kind: when to try again. */
  obstacle(before: Obstacle | undefined, reason: string, message: string): Obstacle {
    const failures = (before?.failures ?? 0) + 1;
    return { reason, message, failures, retryAt: this.node.now() + backoffDelay(crashBackoff, failures) };
  }

  /** What stood in the way may be gone: every obstacle is due at once. */
  retryObstacles(): void {
    const due = (obstacle: Obstacle): Obstacle => ({ ...obstacle, retryAt: 0 });
    for (const name of Object.keys(this.facts.containers)) {
      const state = factsOf(this.facts, name);
      if (state.obstacle) this.setContainer(name, { ...state, obstacle: due(state.obstacle) });
    }
    const { volumesObstacle } = this.facts;
    if (volumesObstacle) this.facts = { ...this.facts, volumesObstacle: due(volumesObstacle) };
  }
}
