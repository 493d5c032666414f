/**
 * An update that leaves out what had been given out keeps it; one that changes the type lets go of what the new type has no
 * use for, unless the author set it anew (patchAllocatedValues and dropTypeDependentFields of Kubernetes). In place.
 */
import type { ServicePort, ServiceSpec } from '../../kube/api/core-v1.js';
import { deepEqual } from '../../kube/json.js';
import { isExternallyReachable } from './defaults.js';
import { mayHaveNodePorts, needsAddress, needsHealthPort, needsNodePorts } from './needs.js';

export function keepAllocated(next: ServiceSpec, old: ServiceSpec): void {
  if (needsAddress(next) && needsAddress(old)) keepAddress(next, old);
  if (needsNodePorts(next) && needsNodePorts(old)) keepNodePorts(next.ports ?? [], old.ports ?? []);
  if (needsHealthPort(next) && needsHealthPort(old) && old.healthCheckNodePort)
    next.healthCheckNodePort ||= old.healthCheckNodePort;
  matchAddressFields(next, old);
  dropUseless(next, old);
}

function keepAddress(next: ServiceSpec, old: ServiceSpec): void {
  if (!next.clusterIP && old.clusterIP && !next.clusterIPs?.length) next.clusterIP = old.clusterIP;
  if (!next.clusterIPs?.length && next.clusterIP === old.clusterIP && old.clusterIPs)
    next.clusterIPs = [...old.clusterIPs];
  if (!next.ipFamilyPolicy && old.ipFamilyPolicy) next.ipFamilyPolicy = old.ipFamilyPolicy;
  if (!next.ipFamilies?.length && old.ipFamilies) next.ipFamilies = [...old.ipFamilies];
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

/** `clusterIP` and `clusterIPs[0]` say the same; whoever changed only one of them meant both. */
function matchAddressFields(next: ServiceSpec, old: ServiceSpec): void {
  if (next.clusterIP === old.clusterIP || !deepEqual(next.clusterIPs, old.clusterIPs)) return;
  if (next.clusterIP) next.clusterIPs = [next.clusterIP];
  else delete next.clusterIPs;
}

function dropUseless(next: ServiceSpec, old: ServiceSpec): void {
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
