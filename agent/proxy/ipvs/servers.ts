/** Entries of the table as virtual servers of ip_vs, and what must be told the kernel to come from some to others. Pure. */
import { createHash } from 'node:crypto';
import type { IpvsOp, IpvsService, IpvsServiceName, IpvsState } from '../../../native/index.js';
import type { ProxyEndpoint, ServiceEntry } from '../contract.js';
import { protocolNumbers } from '../nftables/encode.js';
import { firstMark } from './layout.js';

export interface Server {
  readonly service: IpvsService;
  /** `10.244.0.5 8080` → weight */
  readonly destinations: ReadonlyMap<string, number>;
}

export const nameOf = ({ family, protocol, address, port, mark }: IpvsServiceName): string =>
  mark === 0 ? `${protocol} ${address} ${port}` : `${family} mark ${mark}`;

export const endpointName = ({ address, port }: Pick<ProxyEndpoint, 'address' | 'port'>): string =>
  `${address} ${port}`;

/** The same for an entry as long as possible, also in the next process: its virtual server then stays. */
export function markOf(key: string, taken: ReadonlyMap<number, string>): number {
  const start = createHash('sha256').update(key).digest().readUIntBE(0, 3);
  for (let i = 0; ; i++) {
    const mark = firstMark + ((start + i) & 0xffffff);
    if ((taken.get(mark) ?? key) === key) return mark;
  }
}

/**
 * @param nodeAddresses of the entry's family, for node ports
 * @param mark of the virtual server for what pods and the node send
 */
export function serversOf(
  entry: ServiceEntry,
  scheduler: string,
  nodeAddresses: readonly string[],
  mark: number | undefined,
): Server[] {
  const about = {
    family: entry.family === 'IPv4' ? 2 : 10,
    scheduler,
    persistence: entry.affinitySeconds ?? 0,
  } as const;
  const protocol = protocolNumbers[entry.protocol];
  const addresses = entry.address === undefined ? nodeAddresses : [entry.address];
  const destinations = weights(entry.endpoints);
  const world = addresses.map(address => ({
    service: { ...about, protocol, address, port: entry.port, mark: 0 },
    destinations,
  }));
  // without endpoints too: connections to the last one go on, and nftables refuses new ones
  if (mark === undefined) return world;
  const inside = {
    service: { ...about, protocol: 0, address: '', port: 0, mark },
    destinations: weights(entry.inside ?? []),
  };
  return [...world, inside];
}

const weights = (endpoints: readonly ProxyEndpoint[]): ReadonlyMap<string, number> =>
  new Map(endpoints.map(endpoint => [endpointName(endpoint), 1]));

export const stateOf = ({ destinations, ...service }: IpvsState): Server => ({
  service,
  destinations: new Map(destinations.map(one => [endpointName(one), one.weight])),
});

export interface Plan {
  readonly ops: readonly IpvsOp[];
  /** What the kernel has afterwards: nothing if undefined. */
  readonly state: Server | undefined;
}

/** UDP knows no connections that could be waited for; of a mark the protocol is not known, so its connections may end. */
const drains = ({ protocol, mark }: IpvsServiceName): boolean => mark !== 0 || protocol !== protocolNumbers.udp;

/**
 * Endpoints that go keep their connections: they get no new ones (weight 0), and are deleted when they have none.
 * @param have what the kernel has
 */
export function plan(have: Server | undefined, want: Server | undefined): Plan {
  if (!want) return { ops: have ? [{ op: 'service.delete', service: have.service }] : [], state: undefined };
  const { service } = want;
  const ops: IpvsOp[] = [];
  const destinations = new Map<string, number>();
  if (!have) ops.push({ op: 'service.add', service });
  else if (!sameService(service, have.service)) ops.push({ op: 'service.set', service });
  for (const [name, weight] of want.destinations) {
    const known = have?.destinations.get(name);
    if (known !== weight)
      ops.push({
        op: known === undefined ? 'destination.add' : 'destination.set',
        service,
        destination: named(name, weight),
      });
    destinations.set(name, weight);
  }
  for (const [name, weight] of have?.destinations ?? []) {
    if (destinations.has(name)) continue;
    if (!drains(service)) ops.push({ op: 'destination.delete', service, destination: named(name, 0) });
    else {
      if (weight !== 0) ops.push({ op: 'destination.set', service, destination: named(name, 0) });
      destinations.set(name, 0);
    }
  }
  return { ops, state: { service, destinations } };
}

const sameService = (a: IpvsService, b: IpvsService): boolean =>
  a.scheduler === b.scheduler && a.persistence === b.persistence;

export function named(name: string, weight: number): { address: string; port: number; weight: number } {
  const [address = '', port] = name.split(' ');
  return { address, port: Number(port), weight };
}
