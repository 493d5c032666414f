/** Ports of the node that the pod wants for itself. */
import type { HostPort } from '../pod-info.js';
import { type Filter, forNow } from './contract.js';

const taken = forNow("node(s) didn't have free ports for the requested pod ports");
const everyAddress = '0.0.0.0';

export const nodePorts: Filter = {
  name: 'NodePorts',
  wakes: ['node-added', 'pod-gone'],
  prepare: ({ ports }) =>
    ports.length === 0
      ? undefined
      : { at: node => (ports.some(port => node.ports.some(other => clash(port, other))) ? taken : undefined) },
};

export function clash(a: HostPort, b: HostPort): boolean {
  if (a.port !== b.port || a.protocol !== b.protocol) return false;
  return a.ip === b.ip || a.ip === everyAddress || b.ip === everyAddress;
}
