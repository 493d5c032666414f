/**
 * The bridge network's nft rules. Pods reach the world outside the cluster under their node's address. And one pod must not
 * give IPv6 to another by a router advertisement (CVE-2020-10749): where pods have none, no IPv6 crosses the bridge at all;
 * where they have, what only routers say does not. Only our own chains are ever flushed or deleted; other parts of the node
 * may have theirs in the same tables.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { nftCount } from '../native/index.js';
import { familyOf } from '../src/base/cidr.js';
import { describe } from '../src/base/errors.js';
import { runNft } from '../src/base/nft.js';
import { CniError } from './contract.js';

interface Chain {
  /** `<family> <name>` */
  readonly table: string;
  readonly name: string;
}

const tableName = 'keelson';
/** NFPROTO_BRIDGE */
const bridgeFamily = 7 as const;

/** How nft and the kernel call each family, and what is never outside. */
const words = {
  4: { family: 'ip', number: 2, never: ['224.0.0.0/4'] },
  6: { family: 'ip6', number: 10, never: ['fe80::/10', 'ff00::/8'] },
} as const;

/** Of each bridge its own: there may be networks of other runtimes beside the agent's. */
const masqueradeOf = (bridge: string, subnet: string): Chain => ({
  table: `${words[familyOf(subnet)].family} ${tableName}`,
  name: bridge === 'cni0' ? 'postrouting' : `postrouting_${bridge}`,
});
const guard: Chain = { table: `bridge ${tableName}`, name: 'forward' };

/** Link group of the host ends of our pods' links (`ke` in ASCII): how rules know them on any kernel, on whichever bridge. */
export const podLinkGroup = 0x6b65;
/** Of those pods that have IPv6. */
export const ipv6PodLinkGroup = podLinkGroup + 2;

export interface RulesSpec {
  readonly bridge: string;
  /** At most one of each family. */
  readonly subnets: readonly string[];
  readonly clusterCidrs: readonly string[];
}

const routersWords = '{ nd-router-solicit, nd-router-advert, nd-redirect }';

/** Pure. May be applied any number of times; nft does all of it or nothing. */
export function bridgeRules({ bridge, subnets, clusterCidrs }: RulesSpec): string {
  const masquerades = subnets.map(subnet => masquerade(bridge, subnet, clusterCidrs));
  return [
    ...masquerades,
    emptyChain(guard, 'type filter hook forward priority filter; policy accept;'),
    rule(guard, `iifgroup ${podLinkGroup} ether type ip6 drop`),
    rule(guard, `iifgroup ${ipv6PodLinkGroup} icmpv6 type ${routersWords} drop`),
  ].join('');
}

function masquerade(bridge: string, subnet: string, clusterCidrs: readonly string[]): string {
  const chain = masqueradeOf(bridge, subnet);
  const { family, never } = words[familyOf(subnet)];
  const local = [...clusterCidrs.filter(cidr => familyOf(cidr) === familyOf(subnet)), ...never].join(', ');
  const outside = `${family} saddr ${subnet} ${family} daddr != { ${local} } oifname != "${bridge}"`;
  return (
    emptyChain(chain, 'type nat hook postrouting priority srcnat; policy accept;') +
    rule(chain, `${outside} masquerade fully-random`)
  );
}

const emptyChain = ({ table, name }: Chain, kind: string) =>
  `add table ${table}\nadd chain ${table} ${name} { ${kind} }\nflush chain ${table} ${name}\n`;
const rule = ({ table, name }: Chain, text: string) => `add rule ${table} ${name} ${text}\n`;

/** The rules of one bridge in the kernel. */
export class BridgeRules {
  readonly #spec: RulesSpec;
  /** How many there were in each table when they were made: others may have some there, too. */
  #counted: string | undefined;

  constructor(spec: RulesSpec) {
    this.#spec = spec;
  }

  async apply(): Promise<void> {
    await nft(bridgeRules(this.#spec));
    this.#counted = await this.#count();
  }

  /** Makes them again if somebody has changed anything in their tables. */
  async check(): Promise<void> {
    if (this.#counted !== undefined && (await this.#count()) !== this.#counted) await this.apply();
  }

  async #count(): Promise<string> {
    const families = [...this.#spec.subnets.map(subnet => words[familyOf(subnet)].number), bridgeFamily];
    const found = await Promise.all(families.map(family => nftCount(family, tableName, [])));
    return found.map(({ rules }) => rules).join();
  }

  remove(): Promise<void> {
    this.#counted = undefined;
    return removeBridgeRules(this.#spec);
  }
}

/** The first of our chains that is missing or says nothing; undefined if all is well. */
export async function missingRules({ bridge, subnets }: RulesSpec): Promise<string | undefined> {
  for (const { table, name } of [...subnets.map(subnet => masqueradeOf(bridge, subnet)), guard]) {
    const words = ['list', 'chain', ...table.split(' '), name];
    const { stdout } = await promisify(execFile)('nft', words).catch(() => ({ stdout: '' }));
    if (!/masquerade|drop/.test(stdout)) return `${table} ${name}`;
  }
  return undefined;
}

/** Deletes our chains, and the tables in which nothing else is. Success if they are not there. */
async function removeBridgeRules({ bridge, subnets }: RulesSpec): Promise<void> {
  for (const chain of [...subnets.map(subnet => masqueradeOf(bridge, subnet)), guard]) {
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
