/**
 * An Ethernet for nodes that live in namespaces: each gets a link `eth0`, whose other end is on the bridge `sw` in a
 * namespace of its own, as machines are on a switch. May be repeated.
 */
import { spawn } from 'node:child_process';
import { describe, UserError } from '../base/errors.js';
import type { Holder } from './isolation.js';

/** Of the node with this number, from 1: `172.30.0.1/24`, `fd00:172:30::1/64`. Nothing leads there from the host. */
export const nodeAddresses = (number: number, ipv6: boolean): string[] => [
  `172.30.0.${number}/24`,
  ...(ipv6 ? [`fd00:172:30::${number}/64`] : []),
];

/** @param nodes the first is number 1 */
export async function plugIn(theSwitch: Holder, nodes: readonly Holder[], ipv6: boolean): Promise<void> {
  await within(theSwitch, [
    'ip link show sw >/dev/null 2>&1 || ip link add sw type bridge forward_delay 0',
    'ip link set sw up',
    ...nodes.map(
      ({ pid }, i) =>
        `ip link show p${i + 1} >/dev/null 2>&1 || ip link add p${i + 1} type veth peer name eth0 netns ${pid}`,
    ),
    ...nodes.map((_, i) => `ip link set p${i + 1} master sw up`),
  ]);
  for (const [i, node] of nodes.entries())
    await within(node, [
      'ip link set lo up',
      ...nodeAddresses(i + 1, ipv6).map(
        address => `ip address replace ${address} dev eth0${address.includes(':') ? ' nodad' : ''}`,
      ),
      'ip link set eth0 up',
    ]);
}

/** Lines of sh in a namespace; the first that fails ends it. */
function within({ pid }: Holder, lines: readonly string[]): Promise<void> {
  const child = spawn('nsenter', ['--target', String(pid), '--net', '--', 'sh', '-ec', lines.join('\n')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  return new Promise((resolve, reject) => {
    const failed = (why: string) =>
      reject(new UserError(`the Ethernet of the nodes cannot be made: ${why}`, 'needs ip: apt install iproute2'));
    child.once('error', error => failed(describe(error)));
    child.once('close', code => (code === 0 ? resolve() : failed(complaint.trim())));
  });
}
