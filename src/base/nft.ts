/** The nft program: one transaction of text, all of it or nothing. */
import { spawn } from 'node:child_process';

/** Rejects with an Error holding what nft complained of. */
export function runNft(rules: string): Promise<void> {
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
      else reject(new Error(`nft refused rules: ${complaint.trim().slice(0, 2000)}`));
    });
  });
}
