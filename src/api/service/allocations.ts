/**
 * Which cluster addresses and node ports are taken: what the view shows, kept up to date by its changes, plus what is being
 * committed at this moment. One for each view, so that two creates in one process can never get the same number.
 */
import { formatIp, parseIp } from '../../base/cidr.js';
import type { Service } from '../../kube/api/core-v1.js';
import { keyOf } from '../../kube/meta.js';
import type { AnyObject } from '../kind.js';
import type { View } from '../view.js';
import { addressesOf, nodePortsOf } from './needs.js';

/** A cluster address, or a node port. */
export type Claimed = string | number;

export class Allocations {
  static readonly #byView = new WeakMap<View, Allocations>();

  /** Made at the first use; lives as long as the view. */
  static of(view: View): Allocations {
    const found = Allocations.#byView.get(view) ?? new Allocations(view);
    Allocations.#byView.set(view, found);
    return found;
  }

  /** Owner's UID by what it has. */
  readonly #stored = new Map<Claimed, string>();
  readonly #pending = new Map<Claimed, string>();

  private constructor(view: View) {
    for (const object of view.list('Service')) this.#add(object);
    view.subscribeKind('Service', ({ type, object, previous }) => {
      if (previous) this.#remove(previous);
      if (type !== 'DELETED') this.#add(object);
    });
  }

  /** By anybody but `owner`. */
  isTaken(wanted: Claimed, owner: string): boolean {
    const claimed = canonical(wanted);
    const stored = this.#stored.get(claimed);
    const pending = this.#pending.get(claimed);
    return (stored !== undefined && stored !== owner) || (pending !== undefined && pending !== owner);
  }

  /** Until `release`; the caller has looked that it is free. */
  reserve(claimed: Claimed, owner: string): void {
    this.#pending.set(canonical(claimed), owner);
  }

  release(claimed: readonly Claimed[]): void {
    for (const item of claimed) this.#pending.delete(canonical(item));
  }

  #add(object: AnyObject): void {
    for (const claimed of claimsOf(object)) this.#stored.set(claimed, ownerOf(object));
  }

  #remove(object: AnyObject): void {
    for (const claimed of claimsOf(object))
      if (this.#stored.get(claimed) === ownerOf(object)) this.#stored.delete(claimed);
  }
}

const ownerOf = ({ metadata }: AnyObject): string => metadata.uid ?? keyOf({ metadata });

function claimsOf(object: AnyObject): Claimed[] {
  const { spec } = object as unknown as Service;
  return [...addressesOf(spec), ...nodePortsOf(spec)].map(canonical);
}

/** One address of IPv6 can be written in many ways. */
function canonical(claimed: Claimed): Claimed {
  if (typeof claimed === 'number' || !claimed.includes(':')) return claimed;
  const address = parseIp(claimed);
  return address === undefined ? claimed : formatIp(6, address);
}
