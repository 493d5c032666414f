/** Cluster addresses of a Service: one of each of its families. In place. */
import { formatCidr } from '../../base/cidr.js';
import type { ServiceSpec } from '../../kube/api/core-v1.js';
import { type FieldError, internal, invalid } from '../errors.js';
import type { Desk } from './desk.js';
import { addressesOf, headless, needsAddress } from './needs.js';
import { type Family, isServiceAddress, pickAddress, rangeOf } from './pools.js';

/** After its families are known. Throws StatusError 500 if a range is full. */
export function assignAddresses(desk: Desk, spec: ServiceSpec, old: ServiceSpec | undefined): FieldError[] {
  if (!needsAddress(spec) || spec.clusterIPs?.[0] === headless) return [];
  const before = addressesOf(old);
  const given = spec.clusterIPs ?? [];
  const errors: FieldError[] = [];
  const found = ((spec.ipFamilies ?? []) as Family[]).map((family, i) => {
    const asked = given[i];
    if (!asked) return nextOf(desk, family);
    if (!before.includes(asked)) errors.push(...take(desk, family, asked, given));
    return asked;
  });
  spec.clusterIPs = found;
  if (found[0]) spec.clusterIP = found[0];
  return errors;
}

function nextOf(desk: Desk, family: Family): string {
  const range = rangeOf(desk.pools, family);
  const address = range && pickAddress(range, desk.isTaken, desk.random);
  if (!address || !desk.take(address)) throw internal('failed to allocate a serviceIP: range is full');
  return address;
}

function take(desk: Desk, family: Family, address: string, all: readonly string[]): FieldError[] {
  const failed = (why: string): FieldError[] => [
    invalid('spec.clusterIPs', all, `failed to allocate IP ${address}: ${why}`),
  ];
  const range = rangeOf(desk.pools, family);
  if (range && !isServiceAddress(range, address))
    return failed(
      `the provided IP (${address}) is not in the valid range. The range of valid IPs is ${formatCidr(range)}`,
    );
  return desk.take(address) ? [] : failed('provided IP is already allocated');
}
