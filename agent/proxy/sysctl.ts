/** Switches of the node's network namespace that Services need. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';

/** Makes the node a router. Of IPv6 only where pods have it: a router no longer takes its own addresses from others. */
export async function enableForwarding(ipv6: boolean): Promise<void> {
  await set('net/ipv4/ip_forward');
  if (ipv6) await set('net/ipv6/conf/all/forwarding');
}

/**
 * Netfilter sees what crosses a bridge, so that an answer from one pod to another of the same node is translated back.
 * @returns whether it does: the kernel's module br_netfilter may be missing
 */
export async function translateBridged(): Promise<boolean> {
  await set('net/bridge/bridge-nf-call-ip6tables');
  return set('net/bridge/bridge-nf-call-iptables');
}

/**
 * Who sends where the route leads back is told of a shorter way, and the kernel counts that among the few errors that it sends
 * anybody in a second: that nobody serves would never be heard. Other links keep their own switch.
 */
export async function silenceRedirects(bridge: string): Promise<void> {
  for (const link of ['all', bridge]) await set(`net/ipv4/conf/${link}/send_redirects`, '0');
}

/** @returns whether there is such a switch, and it stands so now */
async function set(name: string, value = '1'): Promise<boolean> {
  const path = `/proc/sys/${name}`;
  if (!existsSync(path)) return false;
  if ((await readFile(path, 'utf8')).trim() !== value) await writeFile(path, value);
  return true;
}
