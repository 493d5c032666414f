/**
 * Gives a Service its cluster addresses and node ports, at create and when an update makes them necessary. What was chosen is
 * reserved until the write is through or has failed: the caller calls `release` in either case.
 */
import type { Service } from '../../kube/api/core-v1.js';
import { keyOf } from '../../kube/meta.js';
import type { Engine } from '../engine.js';
import { type FieldError, invalidObject } from '../errors.js';
import { assignAddresses } from './addresses.js';
import { Allocations } from './allocations.js';
import { Desk } from './desk.js';
import { assignFamilies } from './families.js';
import { dropUseless, keepAllocated, matchAddressFields } from './keep.js';
import { assignHealthPort, assignNodePorts } from './node-ports.js';
import { defaultPools } from './pools.js';

const subject = { group: '', plural: 'services', kind: 'Service' };

/** Changes `next` in place. Throws StatusError 422 for what is taken or out of range, 500 when a range is full. */
export function allocateService(engine: Engine, next: Service, old: Service | undefined): { release(): void } {
  next.spec ??= {};
  if (old?.spec) keepAllocated(next.spec, old.spec);
  matchAddressFields(next.spec, old?.spec);
  if (old?.spec) dropUseless(next.spec, old.spec);
  const pools = engine.servicePools ?? defaultPools;
  const desk = new Desk(Allocations.of(engine.view), pools, next.metadata.uid ?? keyOf(next), engine.random);
  try {
    refuse(next, assignFamilies(next.spec, old?.spec, pools));
    refuse(next, [...assignAddresses(desk, next.spec, old?.spec), ...assignNodePorts(desk, next.spec, old?.spec)]);
    assignHealthPort(desk, next.spec, old?.spec);
  } catch (error) {
    desk.release();
    throw error;
  }
  return desk;
}

function refuse({ metadata }: Service, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalidObject(subject, metadata.name, errors);
}
