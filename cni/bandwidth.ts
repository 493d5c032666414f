/**
 * Limits what a pod may receive and send, by one token bucket (tbf) each: on the host's end of its link for what comes in, on
 * its own end for what it sends, so that a sender is slowed down instead of losing packets. Both go with the link.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { codeOf } from '../src/base/errors.js';
import { type Bandwidth, CniError } from './contract.js';

/** What a bucket holds: a tenth of a second, and a few packets at least. */
const burstSeconds = 0.1;
const minBurstBytes = 16_384;
const latency = '50ms';

const run = promisify(execFile);

/** Repeatable. */
export async function limitBandwidth(
  { ingressBits, egressBits }: Bandwidth,
  hostLink: string,
  inside: { readonly netns: string; readonly ifName: string },
): Promise<void> {
  if (ingressBits) await tc([], hostLink, ingressBits);
  if (egressBits) await tc(['nsenter', `--net=${inside.netns}`], inside.ifName, egressBits);
}

/** Words for tc. Pure. */
export function bucket(link: string, bits: number): string[] {
  const burst = Math.max(minBurstBytes, Math.ceil((bits / 8) * burstSeconds));
  return [
    ...['qdisc', 'replace', 'dev', link, 'root', 'tbf'],
    ...['rate', `${bits}bit`, 'burst', `${Math.min(burst, 0x7fff_ffff)}`, 'latency', latency],
  ];
}

async function tc(before: readonly string[], link: string, bits: number): Promise<void> {
  const [command = '', ...words] = [...before, 'tc', ...bucket(link, bits)];
  try {
    await run(command, words, { timeout: 10_000 });
  } catch (cause) {
    const missing = codeOf(cause) === 'ENOENT';
    const said = missing
      ? 'install the package iproute2'
      : String((cause as { stderr?: string }).stderr ?? cause).trim();
    throw new CniError(100, `Cannot limit the bandwidth of link "${link}" to ${bits} bit/s with tc`, said, { cause });
  }
}
