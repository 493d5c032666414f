/** Ports of the node that the pod wants for itself. */
import { clash } from '../../kube/host-ports.js';
import { type Filter, forNow } from './contract.js';

const taken = forNow("node(s) didn't have free ports for the requested pod ports");

export const nodePorts: Filter = {
  name: 'NodePorts',
  wakes: ['node-added', 'pod-gone'],
  prepare: ({ ports }) =>
    ports.length === 0
      ? undefined
      : { at: node => (ports.some(port => node.ports.some(other => clash(port, other))) ? taken : undefined) },
};
