/**
 * A node in memory: carries out `plan`'s actions on facts the way the worker does, with chance deciding how containers
 * end. Refuses what the kernel would refuse, so that a wrong plan fails here and not on a machine.
 */

import {
  allContainers,
  type ContainerFacts,
  type EndedRun,
  factsOf,
  initContainers,
  isSidecar,
  mergeTermination,
  type PodFacts,
  type Termination,
} from '../../agent/pods/facts.js';
import { isFinished, type PodAction, plan } from '../../agent/pods/plan.js';
import { crashesAfter } from '../../agent/pods/restart.js';
import type { Container, Pod } from '../../src/kube/pod.js';

export class PodSimulation {
  facts: PodFacts;
  released = false;
  readonly log: string[] = [];

  constructor(
    readonly pod: Pod,
    public now = Date.parse('2026-01-01T00:00:00Z'),
  ) {
    this.facts = { nextSandbox: 0, containers: {}, startTime: iso(now), tornDown: false };
  }

  /** Plans and acts until nothing is left to do now; returns when to look again. */
  settle(): number | undefined {
    for (let turn = 0; turn < 100; turn++) {
      if (this.released) return undefined;
      const { actions, wakeAt } = plan(this.pod, this.facts, this.now);
      if (actions.length === 0) return wakeAt;
      for (const action of actions) this.#act(action);
    }
    throw new Error(`the plan does not come to rest: ${this.log.slice(-10).join(', ')}`);
  }

  /** One turn of the plan. */
  once(): void {
    for (const action of plan(this.pod, this.facts, this.now).actions) this.#act(action);
  }

  live(): string[] {
    return allContainers(this.pod)
      .map(c => c.name)
      .filter(name => factsOf(this.facts, name).live);
  }

  exit(name: string, exitCode: number): void {
    const state = factsOf(this.facts, name);
    if (!state.live) return;
    const { live, stop: _, ...rest } = state;
    const ended: EndedRun = {
      attempt: live.attempt,
      id: live.id,
      exitCode,
      reason: exitCode === 0 ? 'Completed' : 'Error',
      startedAt: live.startedAt,
      finishedAt: iso(this.now),
    };
    this.#set(name, {
      ...rest,
      ended,
      ...(rest.ended && { endedBefore: rest.ended }),
      crashes: crashesAfter(rest.crashes, ended),
    });
    this.log.push(`exit ${name} ${exitCode}`);
  }

  pauseDies(): void {
    if (this.facts.sandbox) this.facts = { ...this.facts, sandbox: { ...this.facts.sandbox, alive: false } };
    this.log.push('pause dies');
  }

  terminate(termination: Termination): void {
    this.facts = { ...this.facts, termination: mergeTermination(this.facts.termination, termination) };
    this.log.push('terminate');
  }

  #act(action: PodAction): void {
    this.log.push('container' in action ? `${action.do} ${action.container}` : action.do);
    switch (action.do) {
      case 'createSandbox':
        check(!this.facts.sandbox, 'a sandbox is made while another stands');
        check(!this.facts.termination, 'a sandbox is made for a pod that is stopping');
        this.facts = {
          ...this.facts,
          tornDown: false,
          nextSandbox: this.facts.nextSandbox + 1,
          sandbox: { attempt: this.facts.nextSandbox, alive: true, ips: ['10.244.0.9'] },
        };
        return;
      case 'startContainer':
        return this.#start(action.container);
      case 'stopContainer': {
        const state = factsOf(this.facts, action.container);
        check(state.live !== undefined && !state.stop, 'a container is stopped twice, or not running');
        return this.#set(action.container, {
          ...state,
          stop: { since: this.now, killAt: this.now + action.graceMs, killed: false },
        });
      }
      case 'killContainer':
        check(factsOf(this.facts, action.container).stop !== undefined, 'SIGKILL without a stop before');
        return this.exit(action.container, 137);
      case 'tearDown': {
        check(this.live().length === 0, `torn down with ${this.live().join()} running`);
        const { sandbox, ...facts } = this.facts;
        const ending = facts.termination !== undefined || isFinished(this.pod, this.facts);
        this.facts = ending
          ? { ...facts, tornDown: true, ...(sandbox && { sandbox: { ...sandbox, alive: false } }) }
          : { ...facts, tornDown: true };
        return;
      }
      case 'release':
        check(this.facts.tornDown && this.live().length === 0, 'released with remains');
        this.released = true;
        return;
      case 'fail':
        this.terminate({
          deleted: false,
          failed: true,
          reason: action.reason,
          message: action.message,
          graceMs: 30_000,
        });
    }
  }

  #start(name: string): void {
    const state = factsOf(this.facts, name);
    const container = allContainers(this.pod).find(c => c.name === name) as Container;
    check(this.facts.sandbox?.alive === true, `${name} started without a living sandbox`);
    check(!state.live, `${name} started twice`);
    check(!this.facts.termination, `${name} started while the pod is stopping`);
    if (!initContainers(this.pod).includes(container)) this.#checkInitDone();
    const attempt = state.nextAttempt;
    const { obstacle: _, ...rest } = state;
    this.#set(name, {
      ...rest,
      nextAttempt: attempt + 1,
      sandbox: this.facts.sandbox?.attempt ?? 0,
      live: { attempt, id: `${name}-${attempt}`, startedAt: iso(this.now) },
    });
  }

  #checkInitDone(): void {
    const here = (c: Container) => factsOf(this.facts, c.name).sandbox === this.facts.sandbox?.attempt;
    const started = this.pod.spec.containers.some(c => factsOf(this.facts, c.name).nextAttempt > 0 && here(c));
    for (const c of initContainers(this.pod)) {
      const { live, ended } = factsOf(this.facts, c.name);
      const done = isSidecar(c) ? live !== undefined : !live && ended?.exitCode === 0 && here(c);
      check(done || started, `an app container starts before init container ${c.name} is done`);
    }
  }

  #set(name: string, state: ContainerFacts): void {
    this.facts = { ...this.facts, containers: { ...this.facts.containers, [name]: state } };
  }
}

function check(holds: boolean, message: string): void {
  if (!holds) throw new Error(`broken rule: ${message}`);
}

const iso = (ms: number): string => new Date(ms).toISOString();
