/**
 * `keelson-vxlan`: comes after a plugin that gives containers their links and addresses, and sees to it that the node reaches
 * the containers of its peers. All containers share it, so one that goes takes nothing along.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type AddressInfo, netlink } from '../native/index.js';
import { describe } from '../src/base/errors.js';
import { CniError } from './contract.js';
import { alone, type Plugin, type PluginInput, previous, unavailable } from './plugin-input.js';
import { difference, type Gateway, type TunnelPath, tunnelMac } from './tunnel.js';
import { podMtu } from './uplink.js';
import {
  changeAll,
  findLink,
  gatewayRoutes,
  ownAddresses,
  raiseTunnel,
  type Tunnel,
  tunnelAddition,
  tunnelRemoval,
} from './vxlan.js';
import { parsePeers, parseTunnel } from './vxlan-config.js';

interface Wanted {
  readonly tunnel: Tunnel;
  readonly podCIDRs: readonly string[];
  readonly paths: readonly TunnelPath[];
}

async function wantedOf({ config }: PluginInput): Promise<Wanted> {
  const tunnel = parseTunnel(config);
  const paths = parsePeers(config['peers'] ?? (await peersIn(config['peersFile'])), tunnel);
  const mtu = tunnel.mtu ?? (await podMtu(tunnel.address, true));
  const given = config['subnets'] ?? [config['subnet']];
  return { tunnel: { ...tunnel, mtu }, podCIDRs: given as string[], paths };
}

/** @throws CniError 5 or 6 naming the file */
async function peersIn(file: unknown): Promise<unknown> {
  if (typeof file !== 'string') return undefined;
  const text = await readFile(file, 'utf8').catch(error => {
    throw new CniError(5, `Cannot read peersFile "${file}"`, describe(error));
  });
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new CniError(6, `peersFile "${file}" is no JSON`, describe(error));
  }
}

async function add(wanted: Wanted): Promise<void> {
  const { tunnel, podCIDRs, paths } = wanted;
  // these cannot be changed once it is there
  const other = (await findLink(tunnel.link))?.kind === 'vxlan' && (await endFault(tunnel));
  if (other) await netlink(null, [{ op: 'link.delete', name: tunnel.link, ifMissing: 'ignore' }]);
  await raiseTunnel(tunnel);
  await removeStale(wanted);
  const problems = await changeAll(paths.map(path => tunnelAddition(tunnel.link, podCIDRs, path)));
  if (problems.length > 0)
    throw new CniError(100, `Cannot reach peers by the link "${tunnel.link}"`, problems.join('; '));
}

async function routesOver(link: string) {
  const index = (await findLink(link))?.index;
  return (await gatewayRoutes()).filter(({ dev }) => index !== undefined && dev === index);
}

async function removeStale({ tunnel: { link }, paths }: Wanted): Promise<void> {
  const { remove } = difference(paths, await routesOver(link), ({ tunnel }) => tunnel);
  const problems = await changeAll(remove.map(route => tunnelRemoval(link, route)));
  if (problems.length > 0) throw new CniError(100, `Cannot forget peers of the link "${link}"`, problems.join('; '));
}

const broken = (link: string, what: string): CniError =>
  new CniError(100, `the tunnel "${link}" is not as it was made`, what);

async function check({ tunnel, paths }: Wanted): Promise<void> {
  const { link, ranges } = tunnel;
  const found = await findLink(link);
  if (found?.kind !== 'vxlan') throw broken(link, found ? `it is of kind "${found.kind}"` : 'there is no such link');
  if (!found.up) throw broken(link, 'it is down');
  const mac = tunnelMac(ranges[0]!);
  if (found.mac !== mac) throw broken(link, `its MAC is ${found.mac} instead of ${mac}`);
  const addresses = await addressList();
  for (const own of ownAddresses(ranges))
    if (!addresses.some(({ address, index }) => address === own && index === found.index))
      throw broken(link, `the address ${own} is missing`);
  const missing = (await endFault(tunnel)) ?? (await missingOf(link, paths));
  if (missing) throw broken(link, missing);
}

/** Where the tunnel of a link ends, in words if it is elsewhere than wanted. */
async function endFault({ link, address, port }: Tunnel): Promise<string | undefined> {
  const [found] = (await listed('ip', ['-j', '-d', 'link', 'show', 'dev', link])) as LinkDetails[];
  const { local, local6, port: at } = found?.linkinfo?.info_data ?? {};
  const own = local ?? local6;
  return own === address && at === port ? undefined : `it ends at ${own} port ${at} instead of ${address} port ${port}`;
}

interface LinkDetails {
  readonly linkinfo?: {
    readonly info_data?: { readonly local?: string; readonly local6?: string; readonly port?: number };
  };
}

/** In words. */
async function missingOf(link: string, paths: readonly TunnelPath[]): Promise<string | undefined> {
  const [routes, neighbours, entries] = (await Promise.all([
    routesOver(link),
    listed('ip', ['-j', 'neigh', 'show', 'dev', link, 'nud', 'permanent']),
    listed('bridge', ['-j', 'fdb', 'show', 'dev', link]),
  ])) as [Gateway[], Listed[], Listed[]];
  for (const { to, tunnel, mac, address } of paths) {
    if (!routes.some(route => route.to === to && route.via === tunnel)) return `the route to ${to} is missing`;
    if (!neighbours.some(({ dst, lladdr }) => dst === tunnel && lladdr === mac))
      return `the neighbour ${tunnel} with MAC ${mac} is missing`;
    if (!entries.some(entry => entry.mac === mac && entry.dst === address))
      return `the forwarding entry of ${mac} to ${address} is missing`;
  }
  return undefined;
}

type Listed = Readonly<Partial<Record<'dst' | 'lladdr' | 'mac', string>>>;

async function listed(command: 'ip' | 'bridge', words: readonly string[]): Promise<object[]> {
  try {
    const { stdout } = await promisify(execFile)(command, words, { timeout: 10_000 });
    return JSON.parse(stdout || '[]') as object[];
  } catch (cause) {
    throw new CniError(100, `Cannot ask "${command} ${words.join(' ')}" what is there`, describe(cause), { cause });
  }
}

async function addressList(): Promise<AddressInfo[]> {
  return (await netlink(null, [{ op: 'address.list' }]))[0] as AddressInfo[];
}

/** What is there carries packets only with an address of its own, and while it is up. */
async function status({ tunnel }: Wanted): Promise<void> {
  const { link: name, id, port, address: local, mtu, ranges } = tunnel;
  const found = await findLink(name);
  const ours = found?.kind === 'vxlan';
  if (!(await addressList()).some(one => one.address.split('/')[0] === local))
    throw unavailable(ours, `no link has the address ${local}`, 'it must be the one by which others reach this node');
  if (found && !ours)
    throw unavailable(
      false,
      `cannot use the link "${name}"`,
      `one of kind "${found.kind ?? 'physical'}" has that name`,
    );
  if (found) return;
  try {
    await netlink(null, [{ op: 'vxlan.add', name, id, port, local, mtu, mac: tunnelMac(ranges[0]!), learning: false }]);
    await netlink(null, [{ op: 'link.delete', name, ifMissing: 'ignore' }]);
  } catch (error) {
    throw unavailable(false, `cannot make the link "${name}"`, describe(error));
  }
}

const turn = <T>(work: () => Promise<T>): Promise<T> => alone('the tunnel between nodes', work);

export const vxlan: Plugin = {
  add: async input => {
    const result = previous(input);
    const wanted = await wantedOf(input);
    await turn(() => add(wanted));
    return result;
  },
  del: async () => {},
  check: async input => {
    previous(input);
    await check(await wantedOf(input));
  },
  gc: async input => {
    const wanted = await wantedOf(input);
    await turn(() => removeStale(wanted));
  },
  status: async input => {
    const wanted = await wantedOf(input);
    await turn(() => status(wanted));
  },
};
