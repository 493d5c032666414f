/**
 * Keeps the kernel at what NetworkPolicies say of this node's pods. A pod's rules stand before its containers start, so
 * also its first packet meets them; changes that come together go together, one transaction at a time.
 */
import { existsSync } from 'node:fs';
import { describe } from '../../src/base/errors.js';
import type { Logger } from '../../src/base/log.js';
import { runNft } from '../../src/base/nft.js';
import type { KubeObject } from '../../src/kube/meta.js';
import type { Pod } from '../../src/kube/pod.js';
import { type PolicyPeers, policyPeersKind } from '../../src/kube/policy-peers.js';
import { FamilyPolicies } from './family-table.js';
import { removeTable } from './nft-text.js';
import { type Family, isSelected, type LocalPod, planPolicies } from './plan.js';

/** How often the kernel is asked whether our rules are still there. */
const checkMs = 5000;
const retryMs = 1000;
const noBridgeFilter =
  'NetworkPolicies do not hold between pods of this node: the kernel has no br_netfilter; try: modprobe br_netfilter';

export class PolicyEnforcer {
  readonly #policies = new Map<string, PolicyPeers>();
  readonly #pods = new Map<string, LocalPod>();
  readonly #tables: readonly FamilyPolicies[];
  #turn: Promise<void> = Promise.resolve();
  #queued: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** Until the controller has spoken, what a former agent left is better than nothing. */
  #known = false;
  readonly #checks: NodeJS.Timeout;

  constructor(readonly log: Logger) {
    // IPv6 may be off as a whole (ipv6.disable=1): then there is no such table either
    const families: readonly Family[] = existsSync('/proc/sys/net/ipv6') ? ['ip', 'ip6'] : ['ip'];
    this.#tables = families.map(family => new FamilyPolicies(family, () => this.log.error(noBridgeFilter)));
    this.#checks = setInterval(() => void this.#check(), checkMs);
  }

  sync(objects: readonly KubeObject[]): void {
    this.#policies.clear();
    for (const object of objects) this.#keep(object);
    this.#known = true;
    void this.#apply();
  }

  put(object: KubeObject): void {
    if (object.kind === policyPeersKind) {
      this.#keep(object);
      void this.#apply();
    }
  }

  gone(kind: string, uid: string): void {
    if (kind === policyPeersKind && this.#policies.delete(uid)) void this.#apply();
  }

  #keep(object: KubeObject): void {
    if (object.kind === policyPeersKind) this.#policies.set(object.metadata.uid ?? '', object as PolicyPeers);
  }

  /** Resolves when the rules of a new pod stand. Rejects if they cannot be made: it must not run without them. */
  async admit(pod: Pod, addresses: readonly string[]): Promise<void> {
    if (addresses.length === 0 || pod.spec.hostNetwork) return;
    this.#pods.set(pod.metadata.uid ?? '', { pod, addresses });
    if ([...this.#policies.values()].some(policy => isSelected(policy, pod))) await this.#applyOrFail();
  }

  /** Its labels may be others now. */
  update(pod: Pod): void {
    const known = this.#pods.get(pod.metadata.uid ?? '');
    if (!known || known.pod === pod) return;
    this.#pods.set(pod.metadata.uid ?? '', { ...known, pod });
    if (this.#policies.size > 0) void this.#apply();
  }

  release(uid: string): void {
    if (this.#pods.delete(uid) && this.#policies.size > 0) void this.#apply();
  }

  /** @param remove takes all rules away; else they stay for the next agent */
  async close(remove: boolean): Promise<void> {
    clearInterval(this.#checks);
    clearTimeout(this.#retry);
    this.#known = false;
    await this.#turn;
    if (remove) await runNft(this.#tables.map(({ family }) => removeTable(family)).join('')).catch(() => {});
  }

  async #apply(): Promise<void> {
    await this.#applyOrFail().catch((error: unknown) => {
      this.log.error({ error: describe(error) }, 'NetworkPolicies could not be put into the kernel: tried again');
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => void this.#apply(), retryMs);
    });
  }

  /** Who comes while one transaction is under way shares the next. */
  #applyOrFail(): Promise<void> {
    this.#queued ??= this.#turn.then(() => {
      this.#queued = undefined;
      const run = this.#write();
      this.#turn = run.catch(() => {});
      return run;
    });
    return this.#queued;
  }

  async #write(): Promise<void> {
    for (const table of this.#tables) {
      if (!this.#known) return;
      await table.apply(planPolicies([...this.#policies.values()], [...this.#pods.values()], table.family));
    }
  }

  async #check(): Promise<void> {
    for (const table of this.#tables) {
      if (!this.#known || (await table.isIntact())) continue;
      this.log.warn('somebody has changed the rules of NetworkPolicies: they are restored');
      table.forget();
      await this.#apply();
    }
  }
}
