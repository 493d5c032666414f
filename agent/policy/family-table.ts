/** The kernel's table of one family, and how it follows the plan: by elements as long as the chains stay the same. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { nftCount, nftElements } from '../../native/index.js';
import { runNft } from '../../src/base/nft.js';
import { type PolicySet, setDifference, setsOf } from './elements.js';
import { policyTable, removeTable, skeleton, wholeTable } from './nft-text.js';
import type { Family, PolicyPlan } from './plan.js';

/** AF_INET and AF_INET6, and what makes netfilter see packets between pods on the bridge. */
const kernel = {
  ip: { number: 2, bridgeSwitch: '/proc/sys/net/bridge/bridge-nf-call-iptables' },
  ip6: { number: 10, bridgeSwitch: '/proc/sys/net/bridge/bridge-nf-call-ip6tables' },
} as const;

interface Applied {
  readonly skeleton: string;
  readonly sets: readonly PolicySet[];
  /** Undefined: there is no table. */
  readonly rules: number | undefined;
}

export class FamilyPolicies {
  /** Undefined: not known, perhaps rules of a former agent. */
  #applied: Applied | undefined;
  #switched = false;

  /** @param noBridgeFilter is told if policies cannot hold between pods of this node */
  constructor(
    readonly family: Family,
    readonly noBridgeFilter: () => void,
  ) {}

  /** One transaction, or none. Rejects with the kernel's or nft's complaint; then the next call writes the whole. */
  async apply(plan: PolicyPlan): Promise<void> {
    const isolated = plan.groups.in.size + plan.groups.out.size > 0;
    const next = { skeleton: isolated ? skeleton(plan) : '', sets: isolated ? setsOf(plan) : [] };
    const before = this.#applied;
    if (before?.skeleton === next.skeleton) return this.#change(before, next.sets);
    this.#applied = undefined;
    if (isolated) await this.#seeBridged();
    await runNft(isolated ? wholeTable(plan) : removeTable(this.family));
    this.#applied = { ...next, rules: isolated ? (await this.#count([])).rules : undefined };
  }

  /** Whether as much is there as we have put there. */
  async isIntact(): Promise<boolean> {
    const expected = this.#applied;
    if (expected?.rules === undefined) return true;
    const names = expected.sets.map(({ name }) => name);
    const { rules, elements } = await this.#count(names).catch(() => ({ rules: -1, elements: [] }));
    // a change of ours may have come between
    if (this.#applied !== expected) return true;
    return rules === expected.rules && expected.sets.every((set, i) => elements[i] === set.elements.length);
  }

  /** The next call of `apply` writes the whole. */
  forget(): void {
    this.#applied = undefined;
  }

  async #change(before: Applied, sets: readonly PolicySet[]): Promise<void> {
    const changes = setDifference(before.sets, sets);
    if (changes.length === 0) return;
    this.#applied = undefined;
    await nftElements(kernel[this.family].number, policyTable, changes);
    this.#applied = { ...before, sets };
  }

  /** Pods of one node meet on the bridge: netfilter must see them there. */
  async #seeBridged(): Promise<void> {
    if (this.#switched) return;
    this.#switched = true;
    const { bridgeSwitch } = kernel[this.family];
    if (existsSync(bridgeSwitch)) await writeFile(bridgeSwitch, '1');
    else this.noBridgeFilter();
  }

  #count(sets: readonly string[]): ReturnType<typeof nftCount> {
    return nftCount(kernel[this.family].number, policyTable, sets);
  }
}
