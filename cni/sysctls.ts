/** Switches of the kernel that a bridge of pods needs: only those of the families that its pods have. */
import { access, readdir, readFile, writeFile } from 'node:fs/promises';
import { CniError } from './contract.js';

const root = '/proc/sys';
const ipv6Links = 'net/ipv6/conf';

/** @throws CniError 100 naming the switch */
export async function sysctl(name: string, value: string, need: 'required' | 'optional' = 'required'): Promise<void> {
  const path = `${root}/${name}`;
  if (need === 'optional' && !(await exists(path))) return;
  await writeFile(path, value).catch(cause => {
    throw new CniError(100, `Cannot write "${value}" to "${path}"`, undefined, { cause });
  });
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

/**
 * Before the bridge is up. Where pods have no IPv6 the bridge has none: nothing is flooded to every port for it. Its
 * addresses are ours alone, so nobody is asked whether they are taken, which would take a second.
 */
export async function switchBridge(bridge: string, families: ReadonlySet<4 | 6>): Promise<void> {
  if (families.has(4)) {
    await sysctl('net/ipv4/ip_forward', '1');
    await sysctl(`net/ipv4/conf/${bridge}/rp_filter`, '1');
    await sysctl(`net/ipv4/conf/${bridge}/accept_redirects`, '0');
  }
  const need = families.has(6) ? 'required' : 'optional';
  await sysctl(`${ipv6Links}/${bridge}/accept_ra`, '0', need);
  await sysctl(`${ipv6Links}/${bridge}/accept_redirects`, '0', need);
  if (families.has(6)) await sysctl(`${ipv6Links}/${bridge}/accept_dad`, '0');
  await sysctl(`${ipv6Links}/${bridge}/disable_ipv6`, families.has(6) ? '0' : '1', need);
}

/**
 * Makes the node a router of IPv6. A router takes no addresses and routes from other routers' advertisements, unless a link
 * is told to all the same: links that did so go on, or the node would lose its own way out.
 * @throws CniError 100 if this kernel has no IPv6
 */
export async function forwardIpv6(): Promise<void> {
  if (!(await exists(`${root}/${ipv6Links}`)))
    throw new CniError(
      100,
      'Pods cannot have IPv6 addresses',
      'this kernel has no IPv6 (is it started with ipv6.disable=1?)',
    );
  const forwarding = `${ipv6Links}/all/forwarding`;
  if ((await read(forwarding)) === '1') return;
  for (const link of await readdir(`${root}/${ipv6Links}`)) {
    const accepts = `${ipv6Links}/${link}/accept_ra`;
    if (link !== 'all' && link !== 'default' && (await read(accepts)) === '1') await sysctl(accepts, '2');
  }
  await sysctl(forwarding, '1');
}

/** Empty for a link that has gone meanwhile. */
const read = (name: string): Promise<string> =>
  readFile(`${root}/${name}`, 'utf8').then(
    text => text.trim(),
    () => '',
  );
