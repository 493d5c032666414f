/**
 * The bridge network's two nft rules. Pods reach the world outside the cluster under their node's address. And no IPv6
 * crosses the bridge: pods have none, so one pod must not give it to another by a router advertisement (CVE-2020-10749).
 * Only our own chains are ever flushed or deleted; other parts of the node may have theirs in the same tables.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe } from '../src/base/errors.js';
import { runNft } from '../src/base/nft.js';
import { CniError } from './contract.js';

interface Chain {
  /** `<family> <name>` */
  readonly table: string;
  readonly name: string;
}
/** Of each bridge its own: there may be networks of other runtimes beside the agent's. */
const masqueradeOf = (bridge: string): Chain => ({
  table: 'ip keelson',
  name: bridge === 'cni0' ? 'postrouting' : `postrouting_${bridge}`,
});
const noIpv6: Chain = { table: 'bridge keelson', name: 'forward' };

/** Link group of the host ends of our pods' links (`ke` in ASCII): how rules know them on any kernel. */
export const podLinkGroup = 0x6b65;

export interface RulesSpec {
  readonly bridge: string;
  readonly subnet: string;
  readonly clusterCidr: string;
}

/** Pure. May be applied any number of times; nft does all of it or nothing. */
export function bridgeRules({ bridge, subnet, clusterCidr }: RulesSpec): string {
  const local = `{ ${clusterCidr}, 224.0.0.0/4 }`;
  const masquerade = masqueradeOf(bridge);
  return [
    emptyChain(masquerade, 'type nat hook postrouting priority srcnat; policy accept;'),
    rule(masquerade, `ip saddr ${subnet} ip daddr != ${local} oifname != "${bridge}" masquerade fully-random`),
    emptyChain(noIpv6, 'type filter hook forward priority filter; policy accept;'),
    rule(noIpv6, `iifgroup ${podLinkGroup} ether type ip6 drop`),
  ].join('');
}

const emptyChain = ({ table, name }: Chain, kind: string) =>
  `add table ${table}\nadd chain ${table} ${name} { ${kind} }\nflush chain ${table} ${name}\n`;
const rule = ({ table, name }: Chain, text: string) => `add rule ${table} ${name} ${text}\n`;

export function applyBridgeRules(spec: RulesSpec): Promise<void> {
  return nft(bridgeRules(spec));
}

/** Deletes our chains, and the tables in which nothing else is. Success if they are not there. */
export async function removeBridgeRules(bridge: string): Promise<void> {
  for (const chain of [masqueradeOf(bridge), noIpv6]) {
    const { table, name } = chain;
    await nft(
      `add table ${table}\nadd chain ${table} ${name}\nflush chain ${table} ${name}\ndelete chain ${table} ${name}\n`,
    );
    if (await isEmpty(table)) await nft(`delete table ${table}\n`);
  }
}

async function isEmpty(table: string): Promise<boolean> {
  const { stdout } = await promisify(execFile)('nft', ['-j', 'list', 'table', ...table.split(' ')]);
  const { nftables } = JSON.parse(stdout) as { nftables: Record<string, unknown>[] };
  return nftables.every(entry => 'metainfo' in entry || 'table' in entry);
}

/** One transaction of the nft program. */
export async function nft(rules: string): Promise<void> {
  try {
    await runNft(rules);
  } catch (cause) {
    throw new CniError(100, 'Cannot change the rules of the pod network', describe(cause), { cause });
  }
}
