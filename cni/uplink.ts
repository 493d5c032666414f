/** The link by which this node meets the others. */
import { type AddressInfo, type LinkInfo, netlink } from '../native/index.js';
import { familyOf } from '../src/base/cidr.js';

/** Bytes that VXLAN takes of each packet, by what it goes over. */
const tunnelBytes = { 4: 50, 6: 70 } as const;
const ethernetMtu = 1500;

/** The largest packet of a pod that reaches another node in one piece. */
export async function podMtu(address: string | undefined, tunnelled: boolean): Promise<number> {
  const [links, addresses] = (await netlink(null, [{ op: 'link.list' }, { op: 'address.list' }])) as [
    LinkInfo[],
    AddressInfo[],
  ];
  const index = addresses.find(entry => entry.address.split('/')[0] === address)?.index;
  const mtu = links.find(link => link.index === index && link.name !== 'lo')?.mtu ?? ethernetMtu;
  return mtu - (tunnelled ? tunnelBytes[familyOf(address ?? '')] : 0);
}
