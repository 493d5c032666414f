/** Where a probe or hook connects to: a number, or the name of one of the container's ports. Pure. */
import type { Container } from '../../src/kube/pod.js';

/** @throws Error in kubelet's words if there is no such port */
export function portNumber(port: number | string, container: Container): number {
  const named = container.ports?.find(({ name }) => name === port)?.containerPort;
  const number = named ?? Number(port);
  if (Number.isNaN(number)) throw new Error(`couldn't find port: "${port}" in container "${container.name}"`);
  if (number > 0 && number < 65_536) return number;
  throw new Error(`invalid port number: ${number}`);
}

/** `10.0.0.1:80`, `[fd00::1]:80`. */
export const address = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
