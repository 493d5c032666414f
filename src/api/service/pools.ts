/**
 * The two pools that Services draw from: cluster addresses and node ports. The low end of each is for those that ask for a
 * certain one; what is given out without being asked comes from above it, as in Kubernetes. Pure.
 */
export const serviceRange = '10.96.0.0/12';
const rangeStart = 0x0a600000;
const rangeSize = 2 ** 20;
/** Neither the first (the network) nor the last (broadcast) address is given out. */
const staticAddresses = 256;

/** The API itself, by its Service default/kubernetes. */
export const apiServiceAddress = '10.96.0.1';
/** Answered by the agent of every node: given to no Service that did not ask for it. */
export const dnsServiceAddress = '10.96.0.10';

export const firstNodePort = 30_000;
export const lastNodePort = 32_767;
export const nodePortRange = `${firstNodePort}-${lastNodePort}`;
const staticNodePorts = 86;

/** A free address, or undefined when all are taken; @param random in [0, 1). */
export function pickAddress(isTaken: (address: string) => boolean, random: () => number): string | undefined {
  const isFree = (offset: number): boolean => {
    const address = addressAt(offset);
    return address !== dnsServiceAddress && !isTaken(address);
  };
  const offset = pick(staticAddresses, rangeSize - 1, isFree, random) ?? pick(1, staticAddresses, isFree, random);
  return offset === undefined ? undefined : addressAt(offset);
}

/** A free node port, or undefined. */
export function pickNodePort(isTaken: (port: number) => boolean, random: () => number): number | undefined {
  const isFree = (port: number): boolean => !isTaken(port);
  const split = firstNodePort + staticNodePorts;
  return pick(split, lastNodePort + 1, isFree, random) ?? pick(firstNodePort, split, isFree, random);
}

/** The first free number at or after a random one, once round. */
function pick(from: number, to: number, isFree: (value: number) => boolean, random: () => number): number | undefined {
  const start = Math.floor(random() * (to - from));
  for (let step = 0; step < to - from; step++) {
    const value = from + ((start + step) % (to - from));
    if (isFree(value)) return value;
  }
  return undefined;
}

function addressAt(offset: number): string {
  const number = rangeStart + offset;
  return [24, 16, 8, 0].map(shift => (number >>> shift) & 255).join('.');
}

/** Whether an IPv4 address may be a Service's. */
export function isServiceAddress(address: string): boolean {
  const number = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  return number > rangeStart && number < rangeStart + rangeSize - 1;
}

export const isNodePort = (port: number): boolean => port >= firstNodePort && port <= lastNodePort;
