/** The link by which this node meets the others. */
import { type AddressInfo, type LinkInfo, netlink } from '../../native/index.js';

/** Bytes that VXLAN over IPv4 takes of each packet. */
const tunnelBytes = 50;
const ethernetMtu = 1500;

/** The largest packet of a pod that reaches another node in one piece. */
export async function podMtu(address: string | undefined, tunnelled: boolean): Promise<number> {
  const [links, addresses] = (await netlink(null, [{ op: 'link.list' }, { op: 'address.list' }])) as [
    LinkInfo[],
    AddressInfo[],
  ];
  const index = addresses.find(entry => entry.address.split('/')[0] === address)?.index;
  const mtu = links.find(link => link.index === index && link.name !== 'lo')?.mtu ?? ethernetMtu;
  return mtu - (tunnelled ? tunnelBytes : 0);
}
