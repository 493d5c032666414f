/** CHECK of a container on a bridge: whether what ADD made is still there, inside and outside of its namespace. */
import { type AddressInfo, type LinkInfo, netlink, type RouteInfo } from '../native/index.js';
import { CniError, type CniResult } from './contract.js';
import { hostLinkName } from './pod-link.js';

export interface Attached {
  readonly containerID: string;
  readonly netns: string;
  readonly ifName: string;
  readonly bridge: string;
  readonly result: CniResult;
}

/** What the kernel has of it. */
export interface Seen {
  readonly inside: {
    readonly links: readonly LinkInfo[];
    readonly addresses: readonly AddressInfo[];
    readonly routes: readonly RouteInfo[];
  };
  readonly outside: readonly LinkInfo[];
}

/** @throws CniError 100 naming what is missing or wrong */
export async function checkAttachment(attached: Attached): Promise<void> {
  const [[links, addresses, routes], [outside]] = (await Promise.all([
    netlink(attached.netns, [{ op: 'link.list' }, { op: 'address.list' }, { op: 'route.list' }]),
    netlink(null, [{ op: 'link.list' }]),
  ])) as [[LinkInfo[], AddressInfo[], RouteInfo[]], [LinkInfo[]]];
  const fault = faultOf(attached, { inside: { links, addresses, routes }, outside });
  if (fault) throw new CniError(100, `container ${attached.containerID} is not as it was added`, fault);
}

/** In words; undefined if all is well. Pure. */
export function faultOf(attached: Attached, { inside, outside }: Seen): string | undefined {
  const { ifName, containerID, bridge, result } = attached;
  const macOf = (name: string, sandboxed: boolean): string | undefined =>
    result.interfaces?.find(one => one.name === name && !!one.sandbox === sandboxed)?.mac;
  const [own, host, switched] = [
    inside.links.find(({ name }) => name === ifName),
    outside.find(({ name }) => name === hostLinkName(containerID)),
    outside.find(({ name }) => name === bridge),
  ];
  return (
    linkFault('bridge', bridge, switched, macOf(bridge, false)) ??
    (switched?.kind === 'bridge' ? undefined : `"${bridge}" is a link of kind "${switched?.kind ?? 'physical'}"`) ??
    linkFault('host link', hostLinkName(containerID), host, macOf(hostLinkName(containerID), false)) ??
    (host?.master === switched?.index ? undefined : `host link "${host?.name}" is not on bridge "${bridge}"`) ??
    linkFault('link', ifName, own, macOf(ifName, true)) ??
    addressFault(attached, own?.index, inside.addresses) ??
    routeFault(result, own?.index, inside.routes)
  );
}

function linkFault(
  what: string,
  name: string,
  link: LinkInfo | undefined,
  mac: string | undefined,
): string | undefined {
  if (!link) return `${what} "${name}" is missing`;
  if (!link.up) return `${what} "${name}" is down`;
  if (mac && link.mac !== mac.toLowerCase()) return `${what} "${name}" has the MAC ${link.mac} instead of ${mac}`;
  return undefined;
}

function addressFault({ ifName, result }: Attached, index: number | undefined, found: readonly AddressInfo[]) {
  const lost = result.ips.find(
    ({ address, interface: of }) =>
      (of === undefined || result.interfaces?.[of]?.name === ifName) &&
      !found.some(one => one.address === address && one.index === index),
  );
  return lost && `the address ${lost.address} on "${ifName}" is missing`;
}

/** Routes without a gateway may be the link's own. */
function routeFault({ routes = [] }: Partial<CniResult>, index: number | undefined, found: readonly RouteInfo[]) {
  const lost = routes.find(
    ({ dst, gw }) =>
      gw &&
      !found.some(({ to, via, dev }) => to === (dst.endsWith('/0') ? 'default' : dst) && via === gw && dev === index),
  );
  return lost && `the route to ${lost.dst} over ${lost.gw} is missing`;
}
