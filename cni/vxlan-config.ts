/** The configuration of `keelson-vxlan`: this node's end of the tunnel, and the paths to its peers. Pure. */
import { type Cidr, familyOf, formatCidr, formatIp, overlaps, parseIp } from '../src/base/cidr.js';
import { CniError } from './contract.js';
import type { PluginConfig } from './plugin-input.js';
import { parseRange, parseRanges } from './ranges.js';
import { type TunnelPath, tunnelAddress, tunnelMac } from './tunnel.js';
import type { Tunnel } from './vxlan.js';

const defaults = { vni: 1, port: 8472 } as const;

/** The MTU is that of the link that has the address, less what the tunnel takes, if it is not said. */
export type TunnelConfig = Omit<Tunnel, 'mtu'> & { readonly mtu: number | undefined };

/** @throws CniError 7 naming the field */
export function parseTunnel(config: PluginConfig): TunnelConfig {
  const id = numberOf(config, 'vni', 1, 0xff_ffff) ?? defaults.vni;
  return {
    // 15 characters at most, and another link for another number
    link: `keelson.v${id.toString(16)}`,
    id,
    port: numberOf(config, 'port', 1, 65_535) ?? defaults.port,
    address: addressOf(config['address'], 'address'),
    mtu: numberOf(config, 'mtu', 576, 65_535),
    ranges: parseRanges(listOf(config['subnets'] ?? [config['subnet'] ?? ''], 'subnets'), 'subnets'),
  };
}

/**
 * The list may be the same on all nodes: the one with this node's address is passed over.
 * @throws CniError 7 naming the peer
 */
export function parsePeers(peers: unknown, { address: own, ranges }: TunnelConfig): TunnelPath[] {
  if (!Array.isArray(peers)) throw new CniError(7, 'peers: a list is required', 'or peersFile: a file with that list');
  const taken: Cidr[] = [...ranges];
  return peers.flatMap((peer: unknown, i) => {
    const { address, subnets } = (peer ?? {}) as { address?: unknown; subnets?: unknown };
    const at = addressOf(address, `peers[${i}].address`);
    if (at === own) return [];
    if (familyOf(at) !== familyOf(own))
      throw new CniError(7, `peers[${i}].address "${at}"`, `expected one of the family of this node's own, ${own}`);
    return pathsOf(at, listOf(subnets, `peers[${i}].subnets`), `peers[${i}].subnets`, taken);
  });
}

function pathsOf(address: string, subnets: readonly string[], name: string, taken: Cidr[]): TunnelPath[] {
  const ranges = subnets.map(text => parseRange(text, name));
  const mac = ranges[0] && tunnelMac(ranges[0]);
  if (!mac) throw new CniError(7, `${name}: at least one range is required`);
  return ranges.map(range => {
    const other = taken.find(one => overlaps(one, range));
    if (other) throw new CniError(7, `${name}: ${formatCidr(range)} overlaps with ${formatCidr(other)}`);
    taken.push(range);
    return { to: formatCidr(range), address, tunnel: tunnelAddress(range, mac), mac };
  });
}

function listOf(value: unknown, name: string): string[] {
  if (Array.isArray(value)) return value.map(String);
  throw new CniError(7, `${name}: a list of ranges is required`);
}

function addressOf(value: unknown, name: string): string {
  const parsed = typeof value === 'string' ? parseIp(value) : undefined;
  if (parsed !== undefined) return formatIp(familyOf(String(value)), parsed);
  throw new CniError(7, `${name} ${JSON.stringify(value) ?? ''}: the IP address of a node is required`);
}

function numberOf(config: PluginConfig, field: string, min: number, max: number): number | undefined {
  const value = config[field];
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw new CniError(7, `${field} ${JSON.stringify(value)}: a whole number from ${min} to ${max} is required`);
}
