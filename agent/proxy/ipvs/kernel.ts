/** What ip_vs needs of the kernel besides its virtual servers: switches, a link that holds the addresses, schedulers. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, dummyLink, ipvs, ipvsList, type LinkInfo, netlink } from '../../../native/index.js';
import { describe } from '../../../src/base/errors.js';
import { schedulers } from '../modes.js';

export const vipLink = 'kube-ipvs0';
/** Of a virtual server that nobody sends to, by which is seen whether there is a scheduler. */
const probeMark = 0x4affffff;

/** Undefined if the kernel has all of it; else what is missing. Makes nothing that stays. */
export async function missing(scheduler: string): Promise<string | undefined> {
  try {
    await ipvsList();
  } catch (error) {
    return `this kernel has no ip_vs (${describe(error)}): modprobe -a ip_vs ip_vs_rr nf_conntrack, or a kernel with CONFIG_IP_VS`;
  }
  if (await hasScheduler(scheduler)) return undefined;
  const found: string[] = [];
  for (const name of schedulers) if (await hasScheduler(name)) found.push(name);
  return `this kernel has no scheduler ${scheduler} (modprobe ip_vs_${scheduler}); it has: ${found.join(', ') || 'none'}`;
}

async function hasScheduler(scheduler: string): Promise<boolean> {
  const service = { family: 2, protocol: 0, address: '', port: 0, mark: probeMark, scheduler, persistence: 0 } as const;
  try {
    await ipvs([{ op: 'service.add', service }]);
  } catch {
    return false;
  }
  await ipvs([{ op: 'service.delete', service }]);
  return true;
}

const switches = {
  // what was translated is seen by nftables too: without it nothing is masqueraded
  conntrack: '1',
  // a client's port used again gets an endpoint of its own at once
  conn_reuse_mode: '1',
  // connections to an endpoint that is gone end, instead of sending into the dark
  expire_nodest_conn: '1',
  expire_quiescent_template: '1',
} as const;

export async function prepare(): Promise<void> {
  for (const [name, value] of Object.entries(switches)) {
    const path = `/proc/sys/net/ipv4/vs/${name}`;
    if (existsSync(path)) await writeFile(path, value);
  }
  await dummyLink(vipLink);
  await netlink(null, [{ op: 'link.set', name: vipLink, up: true }]);
}

export interface Addresses {
  /** Those of Services, on our link. */
  readonly vips: ReadonlySet<string>;
  /** Those at which node ports are open: all but the loopback's and those of one link. */
  readonly node: readonly string[];
  readonly hasLink: boolean;
}

export async function addresses(): Promise<Addresses> {
  const [links, found] = (await netlink(null, [{ op: 'link.list' }, { op: 'address.list' }])) as [
    LinkInfo[],
    AddressInfo[],
  ];
  const indexOf = (name: string) => links.find(link => link.name === name)?.index;
  const [own, loopback] = [indexOf(vipLink), indexOf('lo')];
  const plain = (address: string) => address.split('/')[0] as string;
  return {
    hasLink: own !== undefined,
    vips: new Set(found.filter(one => one.index === own).map(one => plain(one.address))),
    node: found
      .filter(one => one.index !== own && one.index !== loopback && !/^fe[89ab]/i.test(one.address))
      .map(one => plain(one.address))
      .sort(),
  };
}

export async function changeVips(gone: readonly string[], come: readonly string[]): Promise<void> {
  const whole = (address: string) => `${address}/${address.includes(':') ? 128 : 32}`;
  await netlink(null, [
    ...gone.map(vip => ({ op: 'address.delete', dev: vipLink, address: whole(vip), ifMissing: 'ignore' }) as const),
    ...come.map(vip => ({ op: 'address.add', dev: vipLink, address: whole(vip), ifExists: 'ignore' }) as const),
  ]);
}

export const removeLink = async (): Promise<void> => {
  await netlink(null, [{ op: 'link.delete', name: vipLink, ifMissing: 'ignore' }]);
};
