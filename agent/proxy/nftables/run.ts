/** The nft program, for what is rare: tables, chains and rules. Elements of sets go to the kernel directly. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export { runNft as nft } from '../../../src/base/nft.js';

/** What nft prints as JSON. Rejects if there is no such thing. */
export async function nftJson(...args: string[]): Promise<{ nftables: Record<string, unknown>[] }> {
  const { stdout } = await promisify(execFile)('nft', ['-j', ...args], { maxBuffer: 256 * 1024 * 1024 });
  return JSON.parse(stdout);
}
