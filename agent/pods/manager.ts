/**
 * All pods of this node: what the controller and the static files want → one worker per UID. Decides nothing about a
 * pod's life (`plan` does); it makes workers, hands them newer objects, and forgets them when they are released.
 */

import { describe } from '../../src/base/errors.js';
import { KeyedQueue } from '../../src/base/queue.js';
import { keyOf } from '../../src/kube/meta.js';
import type { Pod } from '../../src/kube/pod.js';
import { qosClass } from '../../src/kube/qos.js';
import { unenforceable } from '../cgroups/resources.js';
import type { Adoption } from './adopt.js';
import { wantsAppArmor } from './app-armor.js';
import { AsidePods } from './aside.js';
import type { Termination } from './facts.js';
import type { PodNode } from './node-contract.js';
import { isSafeUid, podPaths } from './paths.js';
import { podGraceMs } from './plan.js';
import type { WorkerState } from './state.js';
import { isMirror, isStatic } from './static-pod.js';
import { forbiddenSysctl } from './sysctls.js';
import { PodWorker } from './worker.js';

/** A pod nobody wants any more (its object is gone) gets this long (reliability rule A2). */
const orphanGraceMs = 1000;
const terminalPhases: ReadonlySet<string> = new Set(['Succeeded', 'Failed']);
/** How many pods may be worked on at once: most of a run waits for the kernel. */
const concurrency = 16;

export class PodManager {
  readonly #workers = new Map<string, PodWorker>();
  readonly #static = new Map<string, Pod>();
  /** Objects in the API that mirror static pods, by namespace/name. */
  readonly #mirrors = new Map<string, Pod>();
  readonly #queue: KeyedQueue<string>;
  readonly #onMirrorGone: (key: string) => void;
  readonly #aside: AsidePods;

  constructor(
    readonly node: PodNode,
    options: { readonly onMirrorGone?: (key: string) => void } = {},
  ) {
    this.#onMirrorGone = options.onMirrorGone ?? (() => {});
    this.#aside = new AsidePods(node, (uid, adopted, wanted) => {
      if (adopted) this.#start(adopted.pod, adopted.state);
      if (adopted && isStatic(adopted.pod)) this.setStatic([...this.#static.values()]);
      else if (wanted === 'gone') this.remove(uid);
      else if (wanted) this.put(wanted);
    });
    this.#queue = new KeyedQueue<string>({
      concurrency,
      run: uid => this.#run(uid),
      onError: (uid, error, retryMs) =>
        node.log.error({ pod: uid, error: describe(error), retryMs }, 'pod worker failed'),
    });
  }

  /** Takes up what a former agent left, before anything is desired. */
  adopt({ pods, aside }: Adoption): void {
    for (const { pod, state } of pods) this.#start(pod, state);
    for (const uid of aside) this.#aside.add(uid);
  }

  /** The whole set that the controller wants here: what is missing in it is stopped. */
  sync(pods: readonly Pod[]): void {
    const wanted = new Set(pods.map(p => p.metadata.uid));
    for (const pod of pods) this.put(pod);
    for (const [uid, worker] of this.#workers) {
      if (!wanted.has(uid) && !isStatic(worker.pod))
        worker.terminate({ deleted: true, failed: false, graceMs: orphanGraceMs });
    }
    for (const uid of this.#aside.uids()) if (!wanted.has(uid)) this.#aside.note(uid, 'gone');
    for (const [key, mirror] of this.#mirrors) if (!wanted.has(mirror.metadata.uid)) this.#mirrorGone(key);
    // what adopted pods could not find before the link was up is here now
    this.retryObstacles();
  }

  /** A pod bound to this node appeared or changed. */
  put(pod: Pod): void {
    if (isMirror(pod)) return this.#putMirror(pod);
    const uid = pod.metadata.uid ?? '';
    if (!isSafeUid(uid)) return this.node.log.error({ uid }, 'pod with an unusable UID ignored');
    if (this.#aside.note(uid, pod)) return;
    const worker = this.#workers.get(uid) ?? this.#begin(pod);
    if (!worker) return;
    worker.update(pod);
    this.node.policies.update(pod);
    if (pod.metadata.deletionTimestamp) worker.terminate(deletion(pod));
  }

  /** A pod's object is gone. */
  remove(uid: string): void {
    for (const [key, mirror] of this.#mirrors) if (mirror.metadata.uid === uid) this.#mirrorGone(key);
    this.#aside.note(uid, 'gone');
    this.#workers.get(uid)?.terminate({ deleted: true, failed: false, graceMs: orphanGraceMs });
  }

  /** The static pods of this node, as read from their files. */
  setStatic(pods: readonly Pod[]): void {
    const wanted = new Set(pods.map(p => p.metadata.uid ?? ''));
    for (const uid of this.#static.keys()) if (!wanted.has(uid)) this.#static.delete(uid);
    for (const [uid, worker] of this.#workers) {
      // a static pod is stopped with its own full grace, only by its file going away: perhaps while no agent ran
      if (isStatic(worker.pod) && !wanted.has(uid))
        worker.terminate({ deleted: true, failed: false, graceMs: podGraceMs(worker.pod) });
    }
    for (const pod of pods) {
      this.#static.set(pod.metadata.uid ?? '', pod);
      if (!this.#blocked(pod)) this.put(pod);
    }
  }

  /** The mirror object of a static pod, if the API has it. */
  mirrorOf(pod: Pod): Pod | undefined {
    return this.#mirrors.get(keyOf(pod));
  }

  workers(): Iterable<PodWorker> {
    return this.#workers.values();
  }

  find(namespace: string, name: string, uid?: string): PodWorker | undefined {
    for (const worker of this.#workers.values()) {
      const { metadata: m } = worker.pod;
      if (m.namespace !== namespace || m.name !== name) continue;
      if (uid === undefined || m.uid === uid || this.mirrorOf(worker.pod)?.metadata.uid === uid) return worker;
    }
    return undefined;
  }

  /** ConfigMaps, Secrets or images changed: pods that wait for them try again. */
  retryObstacles(): void {
    for (const worker of this.#workers.values()) worker.retryObstacles();
  }

  /** Stops every pod and resolves when all are released (for `--rm`). */
  async stopAll(graceMs: number): Promise<void> {
    this.#stopping = true;
    this.#static.clear();
    for (const worker of this.#workers.values()) worker.terminate({ deleted: true, failed: false, graceMs });
    while (this.#workers.size > 0) await new Promise<void>(resolve => this.#drained.push(resolve));
  }

  async close(): Promise<void> {
    this.#aside.close();
    await this.#queue.close();
  }

  readonly #drained: (() => void)[] = [];
  /** Pods that controllers make in the place of those that end now are left to other nodes, or to the next start. */
  #stopping = false;

  #begin(pod: Pod): PodWorker | undefined {
    if (this.#stopping) return undefined;
    const phase = pod.status?.phase;
    const finished = phase === 'Succeeded' || phase === 'Failed';
    if (finished && !pod.metadata.deletionTimestamp) return undefined; // terminal is terminal (rule A1.5)
    const refusal = refusalOf(pod, this.node) ?? this.#rejection(pod);
    const facts = {
      nextSandbox: 0,
      containers: {},
      startTime: new Date(this.node.now()).toISOString().slice(0, 19).concat('Z'),
      tornDown: false,
    };
    const worker = this.#start(pod, { facts, sandbox: undefined, live: new Map(), recorded: false });
    if (refusal) {
      this.node.event(pod, 'Warning', refusal.reason ?? '', (refusal.message ?? '').replace(/^Pod was rejected: /, ''));
      worker.terminate(refusal);
    }
    return worker;
  }

  /** The pods that have not ended: they hold what they asked for. */
  activePods(): Pod[] {
    const active = [...this.#workers.values()].filter(({ phase }) => !terminalPhases.has(phase));
    return active.map(({ pod }) => pod);
  }

  #rejection(pod: Pod): Termination | undefined {
    if (pod.metadata.deletionTimestamp) return undefined;
    const found = this.node.refuses(pod) ?? this.node.resources.admit(pod, this.activePods());
    if (!found) return undefined;
    const message = `Pod was rejected: ${found.message}`;
    return { deleted: false, failed: true, reason: found.reason, message, graceMs: 0 };
  }

  #start(pod: Pod, state: WorkerState): PodWorker {
    const uid = pod.metadata.uid ?? '';
    const paths = podPaths(this.node.directories, pod, pod.status?.qosClass ?? qosClass(pod.spec));
    const worker = new PodWorker(this.node, pod, paths, state, () => this.#queue.add(uid));
    this.#workers.set(uid, worker);
    this.#queue.add(uid);
    return worker;
  }

  async #run(uid: string) {
    const worker = this.#workers.get(uid);
    if (!worker) return undefined;
    const result = await worker.run();
    if (worker.released) this.#forget(uid, worker);
    return result;
  }

  #forget(uid: string, worker: PodWorker): void {
    this.#workers.delete(uid);
    this.#queue.forget(uid);
    for (const resolve of this.#drained.splice(0)) resolve();
    // a changed static pod waits until its former self has let go of the name
    for (const pod of this.#static.values()) if (keyOf(pod) === keyOf(worker.pod)) this.put(pod);
  }

  /** Another version of the same static pod is still stopping. */
  #blocked(pod: Pod): boolean {
    return [...this.#workers.values()].some(
      w => keyOf(w.pod) === keyOf(pod) && w.pod.metadata.uid !== pod.metadata.uid,
    );
  }

  #putMirror(mirror: Pod): void {
    this.#mirrors.set(keyOf(mirror), mirror);
    const running = [...this.#workers.values()].find(w => isStatic(w.pod) && keyOf(w.pod) === keyOf(mirror));
    if (mirror.metadata.deletionTimestamp || !running) this.node.gone(mirror);
  }

  #mirrorGone(key: string): void {
    this.#mirrors.delete(key);
    this.#onMirrorGone(key);
  }
}

function deletion(pod: Pod): Termination {
  const seconds = pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30;
  return { deleted: true, failed: false, graceMs: Math.max(0, seconds) * 1000 };
}

/** Why this node cannot run the pod at all, if so. Pure. */
export function refusalOf(
  pod: Pod,
  node: Pick<PodNode, 'controllers' | 'allowedUnsafeSysctls'>,
): Termination | undefined {
  const limits = unenforceable(pod, node.controllers);
  if (limits.length > 0) {
    const message = `Pod was refused: this node cannot enforce its limits: ${limits.join('; ')}. "keelson doctor" says what this kernel has; remove the limits or run on a kernel with cgroup v2 controllers`;
    return { deleted: false, failed: true, reason: 'UnenforceableLimits', message, graceMs: 0 };
  }
  const sysctl = forbiddenSysctl(pod, node.allowedUnsafeSysctls);
  if (sysctl)
    return {
      deleted: false,
      failed: true,
      reason: 'SysctlForbidden',
      message: `Pod was rejected: ${sysctl}`,
      graceMs: 0,
    };
  if (wantsAppArmor(pod)) {
    const message = 'Pod was rejected: Cannot enforce AppArmor: AppArmor is not enabled on the host';
    return { deleted: false, failed: true, reason: 'AppArmor', message, graceMs: 0 };
  }
  return undefined;
}
