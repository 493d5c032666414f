/** What configurations for other bridges may ask and ours cannot do: refused, not passed over (CNI spec, error 2). Pure. */
import { parseCidr } from '../src/base/cidr.js';
import { CniError } from './contract.js';
import type { PluginConfig } from './plugin-input.js';
import { gatewayOf } from './ranges.js';

/** Where a field is, and its value if that cannot be had. */
type Finding = readonly [field: string, value: unknown];

/** @throws CniError 2 naming field and value */
export function refuseUnsupported(type: string, config: PluginConfig): void {
  const [found] =
    type === 'keelson-bridge' ? [...bridgeFindings(config), ...ipamFindings(config)] : ipamFindings(config);
  if (found) throw new CniError(2, `unsupported field ${found[0]}: ${JSON.stringify(found[1])}`);
}

const isSet = (value: unknown): boolean =>
  value !== undefined && value !== null && value !== false && value !== 0 && value !== '' && !isEmpty(value);
const isEmpty = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

/** The bridge is always its containers' gateway, and hides them behind the node's address. */
function bridgeFindings(config: PluginConfig): Finding[] {
  const always = ['isGateway', 'ipMasq'].filter(field => config[field] === false);
  const never = ['vlan', 'vlanTrunk', 'promiscMode', 'macspoofchk'].filter(field => isSet(config[field]));
  const routes = (config.ipam?.routes ?? []).filter(({ dst }) => !/\/0$/.test(dst));
  return [
    ...[...always, ...never].map(field => [field, config[field]] as const),
    ...routes.map(route => ['ipam.routes', route] as const),
  ];
}

/** Addresses are those of a whole range, and the first of it is the gateway. */
function ipamFindings({ ipam, runtimeConfig }: PluginConfig): Finding[] {
  if (!ipam) return [];
  const { type, resolvConf, ranges = [] } = ipam as Record<string, unknown> & typeof ipam;
  const sets = [
    ['ipam', ipam] as const,
    ...ranges.flatMap((set, i) => set.map(one => [`ipam.ranges[${i}]`, one] as const)),
  ];
  const asked = runtimeConfig as Record<string, unknown> | undefined;
  return [
    ...(isSet(type) && !['keelson-ipam', 'host-local'].includes(String(type)) ? [['ipam.type', type] as const] : []),
    ...(isSet(resolvConf) ? [['ipam.resolvConf', resolvConf] as const] : []),
    ...sets.flatMap(([where, range]) => rangeFindings(where, { ...range })),
    ...['ips', 'mac']
      .filter(name => isSet(asked?.[name]))
      .map(name => [`runtimeConfig.${name}`, asked?.[name]] as const),
  ];
}

function rangeFindings(where: string, range: Readonly<Record<string, unknown>>): Finding[] {
  const parsed = parseCidr(String(range['subnet'] ?? ''));
  const gateway = range['gateway'];
  const other = parsed && isSet(gateway) && gateway !== gatewayOf(parsed);
  return [
    ...['rangeStart', 'rangeEnd']
      .filter(name => isSet(range[name]))
      .map(name => [`${where}.${name}`, range[name]] as const),
    ...(other ? [[`${where}.gateway`, gateway] as const] : []),
  ];
}
