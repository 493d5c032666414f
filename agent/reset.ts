/**
 * Takes away everything a node ever made on this machine: `release` over all that is found, to the end, whatever fails.
 * Repeating it is success.
 */

import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type AddressInfo, cgroupKill, cgroupRemove, type LinkInfo, netlink, writeFiles } from '../native/index.js';
import { bitsOf, familyOf } from '../src/base/cidr.js';
import { describe } from '../src/base/errors.js';
import { clusterAddresses } from '../src/base/service-cidr.js';
import { removeServices } from './proxy/remove.js';

export interface ResetTarget {
  readonly cgroupMount: string | undefined;
  readonly cgroupNames: readonly string[];
  readonly directories: readonly string[];
  /** The node's links and rules live in this network namespace (of an isolated node they go with it). */
  readonly network: boolean;
  readonly serviceCIDRs: readonly string[];
}

/** @returns what could not be removed; empty if all is gone */
export async function resetNode(target: ResetTarget, say: (line: string) => void): Promise<string[]> {
  const problems: string[] = [];
  const attempt = async (what: string, deed: () => Promise<boolean>) => {
    try {
      if (await deed()) say(`removed ${what}`);
    } catch (error) {
      problems.push(`${what}: ${describe(error)}`);
    }
  };
  for (const name of target.cgroupNames) {
    if (target.cgroupMount)
      await attempt(`processes and cgroups of ${name}`, () => removeGroup(join(target.cgroupMount ?? '', name)));
  }
  if (target.network) {
    await attempt('bridge cni0 and its links', removeLinks);
    await attempt('Service addresses on loopback', () => removeServed(target.serviceCIDRs));
    await attempt('the rules, links and virtual servers of Services', removeServices);
    await attempt('nft tables keelson', removeRules);
  }
  for (const directory of target.directories) await attempt(directory, () => removeDirectory(directory));
  return problems;
}

async function removeGroup(path: string): Promise<boolean> {
  if (!existsSync(path)) return false;
  await cgroupKill(path);
  await cgroupRemove(path);
  return true;
}

async function removeLinks(): Promise<boolean> {
  const [links] = await netlink(null, [{ op: 'link.list' }]);
  const ours = ((links ?? []) as LinkInfo[]).filter(l => l.name === 'cni0' || l.name === 'keelson.vx');
  if (ours.length === 0) return false;
  await netlink(
    null,
    ours.map(l => ({ op: 'link.delete', name: l.name, ifMissing: 'ignore' }) as const),
  );
  return true;
}

/** Of kubernetes and kube-dns, which an agent that was killed has left. */
async function removeServed(serviceCIDRs: readonly string[]): Promise<boolean> {
  const [links, addresses] = (await netlink(null, [{ op: 'link.list' }, { op: 'address.list' }])) as [
    LinkInfo[],
    AddressInfo[],
  ];
  const loopback = links.find(({ name }) => name === 'lo')?.index;
  const served: string[] = Object.values(clusterAddresses(serviceCIDRs));
  const hosts = addresses.filter(({ index }) => index === loopback).map(({ address }) => address.split('/')[0] ?? '');
  const ours = hosts.filter(address => served.includes(address));
  for (const address of ours)
    await netlink(null, [
      { op: 'address.delete', dev: 'lo', address: `${address}/${bitsOf(familyOf(address))}`, ifMissing: 'ignore' },
    ]);
  return ours.length > 0;
}

async function removeRules(): Promise<boolean> {
  const tables = await nft(['list', 'tables']);
  const ours = [...tables.matchAll(/^table (\w+) (keelson(?:_hostports|_policies|_served)?)$/gm)];
  for (const [, family = 'ip', name = 'keelson'] of ours) await nft(['delete', 'table', family, name]);
  return ours.length > 0;
}

function nft(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) =>
    execFile('nft', args, (error, stdout) => (error ? reject(error) : resolve(stdout))),
  );
}

/** What a node, a controller and their user keep in the directories that are given to them. */
const ours = new Set([
  ...['up.lock', 'agent.lock', 'controller.lock', 'admin.kubeconfig', 'node.kubeconfig', 'config.yaml', 'holder.json'],
  ...['pki', 'cni', 'images', 'pods', 'logs', 'manifests', 'isolated', 'audit', 'devices.d', 'devices.json'],
  ...['network.json', 'cni-foreign', 'siblings.json'],
]);
const isOurs = (name: string): boolean => ours.has(name) || /\.sock$|^\..*\.tmp$|^store\.db/.test(name);

const mountPoints = (): string[] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map(line => line.split(' ')[4] ?? '');

/** Volumes in memory are mounts that we made. */
const isVolumeIn =
  (directory: string) =>
  (mount: string): boolean =>
    mount.startsWith(`${directory}/pods/`) && /^[^/]+\/volumes\/[^/]+$/.test(mount.slice(`${directory}/pods/`.length));

/**
 * Takes away what is ours in it, and the directory itself if that was all: one that was named by mistake loses nothing.
 * Refuses to cross a mount: what is mounted below is not ours to delete (reliability rule A1.8).
 */
async function removeDirectory(path: string): Promise<boolean> {
  if (!existsSync(path)) return false;
  await writeFiles(
    mountPoints()
      .filter(isVolumeIn(path))
      .map(volume => ({ op: 'unmount', path: volume })),
  );
  const mounts = mountPoints();
  const inside = mounts.filter(m => m.startsWith(`${path}/`));
  if (inside.length > 0) throw new Error(`something is mounted below it: ${inside.join(', ')}; unmount it first`);
  const names = await readdir(path);
  const [known, foreign] = [names.filter(isOurs), names.filter(name => !isOurs(name))];
  for (const name of known) await rm(join(path, name), { recursive: true, force: true });
  if (foreign.length > 0)
    throw new Error(`it holds what Keelson did not make: ${foreign.slice(0, 5).join(', ')}; remove it by hand`);
  if (!mounts.includes(path)) await rmdir(path);
  return true;
}
