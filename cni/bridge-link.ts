/** The bridge itself: made if it is missing, with the gateways of the pods' ranges as its only addresses. */
import { type AddressInfo, type LinkInfo, netlink } from '../native/index.js';
import { type Cidr, familyOf, parseIp, sizeOf } from '../src/base/cidr.js';
import { CniError } from './contract.js';
import { bridgeMac, gatewayOf } from './ranges.js';
import { switchBridge } from './sysctls.js';

export interface BridgeLink {
  readonly name: string;
  readonly mtu: number;
  readonly ranges: readonly Cidr[];
}

/** Repeatable. @throws CniError 7 for a link of that name which is another's */
export async function raiseBridge(bridge: BridgeLink): Promise<void> {
  const { name, mtu, ranges } = bridge;
  const mac = bridgeMac(ranges[0]!);
  const existing = (await look(name)).link;
  await netlink(null, [existing ? { op: 'link.set', name, mtu, mac } : { op: 'bridge.add', name, mtu, mac }]);
  await switchBridge(name, new Set(ranges.map(({ family }) => family)));
  await giveAddresses(bridge);
}

/** Whether this node has the gateways' addresses: pods are lost without. */
export async function hasGateways(ranges: readonly Cidr[]): Promise<boolean> {
  const [found] = (await netlink(null, [{ op: 'address.list' }])) as [AddressInfo[]];
  const has = new Set(found.map(({ address }) => address));
  return wanted(ranges).every(address => has.has(address));
}

/** Before anything is made. @throws CniError 7 */
export async function refuseForeign({ name, ranges }: BridgeLink): Promise<void> {
  const { link, addresses } = await look(name);
  if (!link) return;
  if (link.kind !== 'bridge')
    throw new CniError(7, `Cannot use bridge "${name}"`, `a link of kind "${link.kind ?? 'physical'}" has that name`);
  const foreign = foreignAddress(link.mac, addresses, ranges);
  if (foreign)
    throw new CniError(
      7,
      `Cannot use bridge "${name}"`,
      `it exists with the address ${foreign}, which another network gave it; pods here would have ${wanted(ranges).join(' and ')}`,
    );
}

/** As `10.244.1.1/24`. */
const wanted = (ranges: readonly Cidr[]): string[] => ranges.map(range => `${gatewayOf(range)}/${range.length}`);

/**
 * One of ours has the MAC of its primary gateway, also from an earlier range: another network's is not taken from it. Pure.
 * @param addresses of the bridge, with prefix
 */
export function foreignAddress(
  mac: string,
  addresses: readonly Pick<AddressInfo, 'address' | 'family'>[],
  ranges: readonly Cidr[],
): string | undefined {
  const own = wanted(ranges);
  const primary = addresses.find(({ address }) => macOf(address) === mac);
  const found = addresses.find(
    ({ address, family }) =>
      !own.includes(address) && macOf(address) !== mac && (!primary || primary.family === family),
  );
  return found?.address;
}

/** The MAC that a bridge of ours with this gateway has. */
function macOf(address: string): string | undefined {
  const [text = '', length = ''] = address.split('/');
  const value = parseIp(text);
  if (value === undefined) return undefined;
  const network = { family: familyOf(text), length: Number(length) };
  return bridgeMac({ ...network, first: value - (value % sizeOf(network)) });
}

/**
 * The gateways are its only addresses: one left from an earlier range would keep an old route. Whose earlier range that was
 * shows its MAC, which ours have from their gateway.
 */
async function giveAddresses({ name: dev, ranges }: BridgeLink): Promise<void> {
  const own = wanted(ranges);
  const stale = (await look(dev)).addresses.filter(({ address }) => !own.includes(address));
  await netlink(null, [
    ...stale.map(({ address }) => ({ op: 'address.delete', dev, address, ifMissing: 'ignore' }) as const),
    ...own.map(address => ({ op: 'address.add', dev, address, ifExists: 'ignore' }) as const),
    { op: 'link.set', name: dev, up: true },
  ]);
}

/** Without link-local addresses, which every link with IPv6 has. */
async function look(name: string): Promise<{ link: LinkInfo | undefined; addresses: AddressInfo[] }> {
  const [addresses, links] = (await netlink(null, [{ op: 'address.list' }, { op: 'link.list' }])) as [
    AddressInfo[],
    LinkInfo[],
  ];
  const link = links.find(one => one.name === name);
  const own = addresses.filter(({ index, address }) => index === link?.index && !/^fe[89ab]/.test(address));
  return { link, addresses: own };
}
