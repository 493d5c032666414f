/** Writes the managed files of /etc, and says how they are bound into containers. */
import { writeFile } from 'node:fs/promises';
import type { Container, Pod } from '../../src/kube/pod.js';
import type { MountSpec } from '../containers/contract.js';
import { type DnsSettings, hostsFile, podHostname, resolvConf } from './etc-files.js';
import type { PodPaths } from './paths.js';

export async function writePodFiles(
  pod: Pod,
  paths: PodPaths,
  dns: DnsSettings,
  ip: string | undefined,
): Promise<void> {
  const { files } = paths;
  await Promise.all([
    writeFile(files.hosts, hostsFile(pod, ip), { mode: 0o644 }),
    writeFile(files.hostname, `${podHostname(pod)}\n`, { mode: 0o644 }),
    writeFile(files.resolvConf, resolvConf(pod, dns), { mode: 0o644 }),
  ]);
}

/** A file that the pod mounts itself at the same place wins. */
export function managedMounts(pod: Pod, container: Container, paths: PodPaths): MountSpec[] {
  const own = new Set((container.volumeMounts ?? []).map(m => m.mountPath));
  const targets: [string, string][] = [
    ...(pod.spec.hostNetwork ? [] : ([['/etc/hostname', paths.files.hostname]] as [string, string][])),
    ['/etc/hosts', paths.files.hosts],
    ['/etc/resolv.conf', paths.files.resolvConf],
  ];
  return targets
    .filter(([target]) => !own.has(target))
    .map(([target, source]) => ({ source, target, readOnly: false, propagation: 'private' as const }));
}
