/**
 * Gives a Service its cluster address and node ports, at create and when an update makes them necessary. What was chosen is
 * reserved until the write is through or has failed: the caller calls `release` in either case.
 */
import { isIPv4 } from 'node:net';
import type { Service, ServiceSpec } from '../../kube/api/core-v1.js';
import { keyOf } from '../../kube/meta.js';
import type { Engine } from '../engine.js';
import { type FieldError, invalid, invalidObject } from '../errors.js';
import { Allocations, type Claimed } from './allocations.js';
import { assignFamilies } from './families.js';
import { keepAllocated } from './keep.js';
import { addressesOf, headless, needsAddress, needsHealthPort, needsNodePorts, nodePortsOf } from './needs.js';
import { isNodePort, isServiceAddress, nodePortRange, pickAddress, pickNodePort, serviceRange } from './pools.js';

const subject = { group: '', plural: 'services', kind: 'Service' };

/** Changes `next` in place. Throws StatusError 422 for what is taken or out of range. */
export function allocateService(engine: Engine, next: Service, old: Service | undefined): { release(): void } {
  next.spec ??= {};
  if (old?.spec) keepAllocated(next.spec, old.spec);
  const desk = new Desk(Allocations.of(engine.view), next.metadata.uid ?? keyOf(next), engine.random);
  try {
    const errors = [
      ...(needsAddress(next.spec) ? [...assignFamilies(next.spec), ...assignAddress(desk, next.spec, old?.spec)] : []),
      ...assignNodePorts(desk, next.spec, old?.spec),
      ...assignHealthPort(desk, next.spec, old?.spec),
    ];
    if (errors.length > 0) throw invalidObject(subject, next.metadata.name, errors);
  } catch (error) {
    desk.release();
    throw error;
  }
  return desk;
}

/** What one write has reserved. */
class Desk {
  readonly #mine: Claimed[] = [];

  constructor(
    readonly allocations: Allocations,
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

function assignAddress(desk: Desk, spec: ServiceSpec, old: ServiceSpec | undefined): FieldError[] {
  if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
  if (!spec.clusterIP && spec.clusterIPs?.[0]) spec.clusterIP = spec.clusterIPs[0];
  if (spec.clusterIP === headless) return [];
  const before = addressesOf(old);
  if (!spec.clusterIP) {
    const address = pickAddress(desk.isTaken, desk.random);
    if (!address || !desk.take(address)) return [failed(spec, '', 'range is full')];
    Object.assign(spec, { clusterIP: address, clusterIPs: [address] });
    return [];
  }
  // anything that is no address is for validation to refuse
  const asked = addressesOf(spec).filter(address => isIPv4(address) && !before.includes(address));
  return asked.flatMap(address => {
    if (!isServiceAddress(address))
      return [
        failed(
          spec,
          address,
          `the provided IP (${address}) is not in the valid range. The range of valid IPs is ${serviceRange}`,
        ),
      ];
    return desk.take(address) ? [] : [failed(spec, address, 'provided IP is already allocated')];
  });
}

const failed = (spec: ServiceSpec, address: string, why: string): FieldError =>
  invalid('spec.clusterIPs', spec.clusterIPs ?? [], `failed to allocate IP ${address}: ${why}`);

function assignNodePorts(desk: Desk, spec: ServiceSpec, old: ServiceSpec | undefined): FieldError[] {
  const before = nodePortsOf(old);
  const asked = (spec.ports ?? []).flatMap(({ nodePort }, i) =>
    nodePort && !before.includes(nodePort) ? takePort(desk, `spec.ports[${i}].nodePort`, nodePort) : [],
  );
  if (asked.length > 0 || !needsNodePorts(spec)) return asked;
  return (spec.ports ?? []).flatMap((port, i) => {
    if (port.nodePort) return [];
    // the same number with another protocol is one number
    const twin = spec.ports?.find(
      other => other.nodePort && other.port === port.port && other.protocol !== port.protocol,
    );
    const found = twin?.nodePort ?? pickNodePort(taken(desk, before), desk.random);
    if (found === undefined) return [invalid(`spec.ports[${i}].nodePort`, 0, 'range is full')];
    if (!twin) desk.take(found);
    port.nodePort = found;
    return [];
  });
}

/** What the service had before is not free for another of its own ports. */
const taken =
  (desk: Desk, before: readonly number[]) =>
  (port: number): boolean =>
    desk.isTaken(port) || before.includes(port);

function assignHealthPort(desk: Desk, spec: ServiceSpec, old: ServiceSpec | undefined): FieldError[] {
  if (!needsHealthPort(spec)) return [];
  if (spec.healthCheckNodePort)
    return spec.healthCheckNodePort === old?.healthCheckNodePort
      ? []
      : takePort(desk, 'spec.healthCheckNodePort', spec.healthCheckNodePort);
  const found = pickNodePort(taken(desk, nodePortsOf(old)), desk.random);
  if (found === undefined || !desk.take(found)) return [invalid('spec.healthCheckNodePort', 0, 'range is full')];
  spec.healthCheckNodePort = found;
  return [];
}

function takePort(desk: Desk, field: string, port: number): FieldError[] {
  if (!isNodePort(port))
    return [
      invalid(field, port, `provided port is not in the valid range. The range of valid ports is ${nodePortRange}`),
    ];
  return desk.take(port) ? [] : [invalid(field, port, 'provided port is already allocated')];
}
