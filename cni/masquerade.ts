/**
 * The rule that lets pods talk to the world outside the cluster: one chain of our own in nft table `ip keelson`. Only this
 * chain is ever flushed or deleted; other parts of the node may have theirs in the same table.
 */
import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { CniError } from './contract.js';

const table = 'ip keelson';
const chain = 'postrouting';

export interface MasqueradeSpec {
  readonly bridge: string;
  readonly subnet: string;
  readonly clusterCidr: string;
}

/** Pure. May be applied any number of times; nft does all of it or nothing. */
export function masqueradeRules({ bridge, subnet, clusterCidr }: MasqueradeSpec): string {
  return `add table ${table}
add chain ${table} ${chain} { type nat hook postrouting priority srcnat; policy accept; }
flush chain ${table} ${chain}
add rule ${table} ${chain} ip saddr ${subnet} ip daddr != { ${clusterCidr}, 224.0.0.0/4 } oifname != "${bridge}" masquerade fully-random
`;
}

export function applyMasquerade(spec: MasqueradeSpec): Promise<void> {
  return nft(masqueradeRules(spec));
}

/** Deletes our chain, and the table when nothing else is in it. Success if they are not there. */
export async function removeMasquerade(): Promise<void> {
  await nft(
    `add table ${table}\nadd chain ${table} ${chain}\nflush chain ${table} ${chain}\ndelete chain ${table} ${chain}\n`,
  );
  const { stdout } = await promisify(execFile)('nft', ['-j', 'list', 'table', 'ip', 'keelson']);
  const { nftables } = JSON.parse(stdout) as { nftables: Record<string, unknown>[] };
  const others = nftables.filter(entry => !('metainfo' in entry) && !('table' in entry));
  if (others.length === 0) await nft(`delete table ${table}\n`);
}

/** One transaction of the nft program. */
function nft(rules: string): Promise<void> {
  const child = spawn('nft', ['-f', '-'], { stdio: ['pipe', 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', chunk => {
    complaint += chunk;
  });
  child.stdin.on('error', () => undefined); // nft ended before it read all; its exit status says why
  child.stdin.end(rules);
  return new Promise((resolve, reject) => {
    child.on('error', cause => reject(new CniError(100, 'Cannot run nft', 'install the package nftables', { cause })));
    child.on('close', code => {
      if (code === 0) resolve();
      else reject(new CniError(100, `nft refused the rules of table "${table}"`, complaint.trim()));
    });
  });
}
