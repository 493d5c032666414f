/** Node ports of a Service, and the port of its health checks. In place. */
import type { ServiceSpec } from '../../kube/api/core-v1.js';
import { type FieldError, internal, invalid } from '../errors.js';
import type { Desk } from './desk.js';
import { needsHealthPort, needsNodePorts, nodePortsOf } from './needs.js';
import { isNodePort, pickNodePort } from './pools.js';

/** Throws StatusError 500 if the range is full. */
export function assignNodePorts(desk: Desk, spec: ServiceSpec, old: ServiceSpec | undefined): FieldError[] {
  const before = nodePortsOf(old);
  const errors = (spec.ports ?? []).flatMap(({ nodePort }, i) => {
    const why = nodePort && !before.includes(nodePort) ? refusalOf(desk, nodePort) : undefined;
    return why === undefined ? [] : [invalid(`spec.ports[${i}].nodePort`, nodePort, why)];
  });
  if (errors.length > 0 || !needsNodePorts(spec)) return errors;
  for (const port of spec.ports ?? []) {
    if (port.nodePort) continue;
    // the same number with another protocol is one number
    const twin = spec.ports?.find(
      other => other.nodePort && other.port === port.port && other.protocol !== port.protocol,
    );
    port.nodePort = twin?.nodePort ?? nextPort(desk, before, 'failed to allocate a nodePort');
  }
  return [];
}

/** Throws StatusError 500 if it cannot be had, as Kubernetes does. */
export function assignHealthPort(desk: Desk, spec: ServiceSpec, old: ServiceSpec | undefined): void {
  if (!needsHealthPort(spec)) return;
  const asked = spec.healthCheckNodePort;
  if (!asked) {
    spec.healthCheckNodePort = nextPort(desk, nodePortsOf(old), 'failed to allocate a HealthCheck NodePort 0');
    return;
  }
  if (asked === old?.healthCheckNodePort) return;
  const why = refusalOf(desk, asked);
  if (why !== undefined) throw internal(`failed to allocate requested HealthCheck NodePort ${asked}: ${why}`);
}

/** What the Service had before is not free for another of its own ports. */
function nextPort(desk: Desk, before: readonly number[], deed: string): number {
  const isTaken = (port: number): boolean => desk.isTaken(port) || before.includes(port);
  const found = pickNodePort(desk.pools.nodePorts, isTaken, desk.random);
  if (found === undefined || !desk.take(found)) throw internal(`${deed}: range is full`);
  return found;
}

/** Takes it; else says why not. */
function refusalOf(desk: Desk, port: number): string | undefined {
  const { nodePorts } = desk.pools;
  if (!isNodePort(nodePorts, port)) {
    const range = `${nodePorts.first}-${nodePorts.last}`;
    return `provided port is not in the valid range. The range of valid ports is ${range}`;
  }
  return desk.take(port) ? undefined : 'provided port is already allocated';
}
