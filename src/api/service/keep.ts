/**
 * What an update keeps and what it lets go of of that which had been given out (patchAllocatedValues, normalizeClusterIPs and
 * dropTypeDependentFields of Kubernetes).
 */
import type { ServicePort, ServiceSpec } from '../../kube/api/core-v1.js';
import { deepEqual } from '../../kube/json.js';
import { isExternallyReachable } from './defaults.js';
import { mayHaveNodePorts, needsAddress, needsHealthPort, needsNodePorts } from './needs.js';

/** An update that leaves out what had been given out keeps it. In place. */
export function keepAllocated(next: ServiceSpec, old: ServiceSpec): void {
  if (needsAddress(next) && needsAddress(old)) keepAddress(next, old);
  if (needsNodePorts(next) && needsNodePorts(old)) keepNodePorts(next.ports ?? [], old.ports ?? []);
  if (needsHealthPort(next) && needsHealthPort(old) && old.healthCheckNodePort)
    next.healthCheckNodePort ||= old.healthCheckNodePort;
}

function keepAddress(next: ServiceSpec, old: ServiceSpec): void {
  if (!next.clusterIP && old.clusterIP) next.clusterIP = old.clusterIP;
  if (!next.clusterIPs?.length && next.clusterIP === old.clusterIP && old.clusterIPs)
    next.clusterIPs = [...old.clusterIPs];
}

/** By protocol and port. */
function keepNodePorts(next: readonly ServicePort[], old: readonly ServicePort[]): void {
  const used = new Set(next.map(port => port.nodePort));
  for (const port of next) {
    if (port.nodePort) continue;
    const before = old.find(item => item.port === port.port && item.protocol === port.protocol);
    if (!before?.nodePort || used.has(before.nodePort)) continue;
    port.nodePort = before.nodePort;
    used.add(before.nodePort);
  }
}

/** `clusterIP` and `clusterIPs[0]` say the same; whoever changed only one of them meant both. In place. */
export function matchAddressFields(next: ServiceSpec, old: ServiceSpec | undefined): void {
  if (!old) {
    if (next.clusterIP && !next.clusterIPs?.length) next.clusterIPs = [next.clusterIP];
    return;
  }
  if (next.clusterIP === old.clusterIP || !deepEqual(next.clusterIPs, old.clusterIPs)) return;
  if (next.clusterIP) next.clusterIPs = [next.clusterIP];
  else delete next.clusterIPs;
}

/** What the old type needed and the new one has no use for, unless the author set it anew. In place. */
export function dropUseless(next: ServiceSpec, old: ServiceSpec): void {
  const drop = (...fields: (keyof ServiceSpec)[]): void => {
    if (fields.every(field => deepEqual(next[field], old[field]))) for (const field of fields) delete next[field];
  };
  if (!needsAddress(next) && needsAddress(old)) {
    drop('clusterIP', 'clusterIPs');
    drop('ipFamilies', 'ipFamilyPolicy');
    drop('internalTrafficPolicy');
  }
  if (!mayHaveNodePorts(next) && mayHaveNodePorts(old)) dropNodePorts(next.ports ?? [], old.ports ?? []);
  if (!needsHealthPort(next) && needsHealthPort(old)) drop('healthCheckNodePort');
  if (next.type !== 'LoadBalancer' && old.type === 'LoadBalancer') {
    drop('allocateLoadBalancerNodePorts');
    drop('loadBalancerClass');
  }
  if (!isExternallyReachable(next) && isExternallyReachable(old)) drop('externalTrafficPolicy');
}

function dropNodePorts(next: readonly ServicePort[], old: readonly ServicePort[]): void {
  const before = new Set(old.map(port => port.nodePort));
  if (next.every(port => before.has(port.nodePort))) for (const port of next) delete port.nodePort;
}
