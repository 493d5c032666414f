/** The ways to serve Services that this agent has, best first, and which of them is taken. */
import { UserError } from '../../src/base/errors.js';
import type { BackendOptions, ProxyBackend } from './contract.js';
import { IptablesBackend } from './iptables/backend.js';
import { IpvsBackend } from './ipvs/backend.js';
import type { ProxyMode } from './modes.js';
import { NftablesBackend } from './nftables/backend.js';
import { UserspaceBackend } from './userspace/backend.js';

/** In the order that `auto` tries them. */
const makers: readonly ((options: BackendOptions) => ProxyBackend)[] = [
  options => new NftablesBackend(options),
  options => new IpvsBackend(options),
  options => new IptablesBackend(options),
  options => new UserspaceBackend(options),
];

/**
 * @param mode `none`: nobody serves Services here
 * @throws UserError if the mode cannot be had, saying why and what to type
 */
export async function chooseBackend(mode: ProxyMode, options: BackendOptions): Promise<ProxyBackend | undefined> {
  if (mode === 'none') return undefined;
  const reasons: string[] = [];
  for (const backend of makers.map(make => make(options))) {
    if (mode !== 'auto' && backend.name !== mode) continue;
    const reason = await backend.unusable();
    if (reason === undefined) return backend;
    reasons.push(`${backend.name}: ${reason}`);
  }
  if (reasons.length === 0) reasons.push(`${mode} is not built into this version`);
  throw new UserError(
    `Services cannot be served with --proxy-mode=${mode}: ${reasons.join('; ')}`,
    'try: --proxy-mode=auto takes what this kernel has, --proxy-mode=none goes without Services',
  );
}

/** What other modes, or an earlier process, have left. One that this machine cannot have has left nothing. */
export async function cleanOthers(chosen: ProxyBackend | undefined, options: BackendOptions): Promise<void> {
  for (const make of makers) {
    // a scheduler that the kernel lacks is no reason to leave the addresses of Services behind
    const { ipvsScheduler: _, ...plain } = options;
    const backend = make(plain);
    if (backend.name !== chosen?.name && (await backend.unusable()) === undefined) await backend.cleanup();
  }
}
