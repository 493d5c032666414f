/** Ports of the node that a pod wants for itself, and which of them exclude each other. Pure. */
import type { PodSpec } from './pod.js';

export interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

const everyAddress = '0.0.0.0';

/** Of the containers that run as long as the pod; with hostNetwork every port is the node's. */
export function hostPorts(spec: PodSpec): HostPort[] {
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  return [...sidecars, ...spec.containers].flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, containerPort, hostIP, protocol }) => {
      const port = hostPort || (spec.hostNetwork ? containerPort : 0);
      return port ? [{ ip: hostIP || everyAddress, protocol: protocol ?? 'TCP', port }] : [];
    }),
  );
}

export function clash(a: HostPort, b: HostPort): boolean {
  if (a.port !== b.port || a.protocol !== b.protocol) return false;
  return a.ip === b.ip || a.ip === everyAddress || b.ip === everyAddress;
}
