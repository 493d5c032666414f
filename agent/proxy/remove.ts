/** Takes away what any mode has ever made of Services on this machine. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { cleanOthers } from './backends.js';

/** Our tables, link and chains, as the programs that list them print them. */
const traces = [
  ['nft', ['list', 'tables'], /keelson_(services|ipvs|userspace)/],
  ['ip', ['-o', 'link'], / kube-ipvs0[:@]/],
  ['iptables-save', [], /^:KUBE-(SERVICES|SVC-|SEP-)/m],
  ['iptables-legacy-save', [], /^:KUBE-(SERVICES|SVC-|SEP-)/m],
] as const;

/** @returns whether there was anything */
export async function removeServices(): Promise<boolean> {
  const found = await Promise.all(
    traces.map(([program, args, pattern]) =>
      promisify(execFile)(program, args, { maxBuffer: 512 << 20 }).then(
        ({ stdout }) => pattern.test(stdout),
        () => false,
      ),
    ),
  );
  if (!found.includes(true)) return false;
  await cleanOthers(undefined, { clusterCidrs: [], bridge: 'cni0' });
  return true;
}
