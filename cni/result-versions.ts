/** One result in the words of each version of the CNI spec. Pure. */
import type { CniResult } from './contract.js';

export const supportedVersions: readonly string[] = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'];

/** Before 1.0.0 each address names its family; MTUs of interfaces are told since 1.1.0. */
export function formatResult(result: Partial<CniResult>, version: string): object {
  const { interfaces, ips = [], ...rest } = result;
  const old = version.startsWith('0.');
  return {
    ...rest,
    ...(interfaces && {
      interfaces: version === '1.1.0' ? interfaces : interfaces.map(({ mtu: _, ...others }) => others),
    }),
    ips: old ? ips.map(ip => ({ version: ip.address.includes(':') ? '6' : '4', ...ip })) : ips,
    cniVersion: version,
  };
}
