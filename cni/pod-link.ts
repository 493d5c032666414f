/** The link between a pod and the bridge. It is never waited for when it goes: it ends with its namespace. */
import { createHash } from 'node:crypto';
import {
  type AddressInfo,
  KernelError,
  type LinkInfo,
  netlink,
  type VethInfo,
  type VethSpec,
  vethAttach,
} from '../native/index.js';
import { codeOf } from '../src/base/errors.js';
import type { Attachment } from './contract.js';
import { ipv6PodLinkGroup, podLinkGroup } from './rules.js';

/** Links to be deleted by one message are first put in this group. */
const dyingGroup = podLinkGroup + 1;

/** The kernel allows 15 characters. */
export function hostLinkName(containerID: string): string {
  return `veth${createHash('sha256').update(containerID).digest('hex').slice(0, 8)}`;
}

/** What the pod's end gets: addresses with their prefix, and a gateway for each. */
export type PodLink = Pick<VethSpec, 'bridge' | 'addresses' | 'gateways'> & { readonly mtu: number; hairpin: boolean };

/** A host link of that name is left from an attempt that died: its namespace is not this one. */
export async function attachPod(attachment: Attachment, link: PodLink): Promise<VethInfo> {
  const ipv6 = link.addresses.some(address => address.includes(':'));
  const spec: VethSpec = {
    ...link,
    object: attachment.object,
    netns: attachment.netns,
    hostName: hostLinkName(attachment.containerID),
    name: attachment.ifName,
    group: ipv6 ? ipv6PodLinkGroup : podLinkGroup,
    ipv6,
  };
  try {
    return await vethAttach(spec);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST' || !isOwnLink(error)) throw error;
  }
  await deleteLinks([spec.hostName]);
  return vethAttach(spec);
}

/** What a repeated ADD finds: the link complete on both sides, or undefined. */
export async function attachedPod(
  { containerID, netns, ifName }: Attachment,
  wanted: readonly string[],
): Promise<VethInfo | undefined> {
  const [links, addresses] = (await netlink(netns, [{ op: 'link.list' }, { op: 'address.list' }])) as [
    LinkInfo[],
    AddressInfo[],
  ];
  const inside = links.find(link => link.name === ifName && link.up);
  const host = (await allLinks()).find(link => link.name === hostLinkName(containerID) && link.up);
  const has = new Set(addresses.filter(({ index }) => index === inside?.index).map(({ address }) => address));
  const complete = wanted.every(address => has.has(address));
  return inside && host && complete ? { hostIndex: host.index, hostMac: host.mac, mac: inside.mac } : undefined;
}

/** Host ends on a bridge whose containers are not among `valid`. */
export async function deleteStaleLinks(bridgeName: string, valid: ReadonlySet<string>): Promise<void> {
  const names = new Set([...valid].map(hostLinkName));
  const links = await allLinks();
  const bridge = links.find(link => link.name === bridgeName);
  const stale = links.filter(
    link => bridge && link.master === bridge.index && /^veth[0-9a-f]{8}$/.test(link.name) && !names.has(link.name),
  );
  await deleteLinks(stale.map(link => link.name));
}

async function deleteLinks(names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  const marks = await Promise.allSettled(
    names.map(name => netlink(null, [{ op: 'link.set', name, group: dyingGroup }])),
  );
  const failed = marks.find(mark => mark.status === 'rejected' && codeOf(mark.reason) !== 'ENODEV');
  await netlink(null, [{ op: 'link.deleteGroup', group: dyingGroup }]);
  if (failed?.status === 'rejected') throw failed.reason;
}

async function allLinks(): Promise<LinkInfo[]> {
  return (await netlink(null, [{ op: 'link.list' }]))[0] as LinkInfo[];
}

/** EEXIST of the link itself, not of an address or route. */
function isOwnLink(error: unknown): boolean {
  return error instanceof KernelError && error.syscall.startsWith('RTM_NEWLINK(veth');
}
