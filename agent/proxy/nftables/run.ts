/** The nft program, for what is rare: tables, chains and rules. Elements of sets go to the kernel directly. */
import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';

/** One transaction. Rejects with an Error holding what nft complained of. */
export function nft(rules: string): Promise<void> {
  const child = spawn('nft', ['-f', '-'], { stdio: ['pipe', 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', chunk => {
    complaint += chunk;
  });
  child.stdin.on('error', () => undefined); // nft ended before it read all; its exit status says why
  child.stdin.end(rules);
  return new Promise((resolve, reject) => {
    child.on('error', cause => reject(new Error('nft cannot be run: install the package nftables', { cause })));
    child.on('close', code => {
      if (code === 0) resolve();
      else reject(new Error(`nft refused the rules of the Services: ${complaint.trim().slice(0, 2000)}`));
    });
  });
}

/** What nft prints as JSON. Rejects if there is no such thing. */
export async function nftJson(...args: string[]): Promise<{ nftables: Record<string, unknown>[] }> {
  const { stdout } = await promisify(execFile)('nft', ['-j', ...args], { maxBuffer: 256 * 1024 * 1024 });
  return JSON.parse(stdout);
}
