/** Makes the kernel forget UDP connections that a change has made wrong. */
import { conntrackDelete } from '../../native/index.js';
import type { TableDifference } from './contract.js';
import { staleUdp } from './stale.js';

const families = [
  ['IPv4', 2],
  ['IPv6', 10],
] as const;
const udp = 17;

/** After the rules: before them a client would be sent back to where it came from. */
export async function forgetStale(difference: TableDifference): Promise<void> {
  for (const [family, number] of families) {
    const stale = staleUdp(difference, family);
    if (stale.length > 0) await conntrackDelete(number, udp, stale);
  }
}
