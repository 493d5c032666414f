/** What one write has reserved of the shared numbers. */
import type { Allocations, Claimed } from './allocations.js';
import type { ServicePools } from './pools.js';

export class Desk {
  readonly #mine: Claimed[] = [];

  constructor(
    readonly allocations: Allocations,
    readonly pools: ServicePools,
    readonly owner: string,
    readonly random: () => number,
  ) {}

  /** False if somebody else has it. */
  take(claimed: Claimed): boolean {
    if (this.allocations.isTaken(claimed, this.owner)) return false;
    this.allocations.reserve(claimed, this.owner);
    this.#mine.push(claimed);
    return true;
  }

  readonly isTaken = (claimed: Claimed): boolean =>
    this.allocations.isTaken(claimed, this.owner) || this.#mine.includes(claimed);

  release(): void {
    this.allocations.release(this.#mine);
  }
}
