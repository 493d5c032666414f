/** The managed files of /etc, and says how they are bound into containers. */
import { existsSync, readFileSync } from 'node:fs';
import type { FileOp } from '../../native/index.js';
import type { Container, Pod } from '../../src/kube/pod.js';
import type { MountSpec } from '../containers/contract.js';
import { type DnsSettings, hostsFile, kernelHostname, resolvConf } from './etc-files.js';
import type { PodPaths } from './paths.js';

const nodeHosts = (): string => (existsSync('/etc/hosts') ? readFileSync('/etc/hosts', 'utf8') : '');

/** Written in place: a container of an earlier sandbox may still have them mounted. */
export function podEtcFiles(pod: Pod, paths: PodPaths, dns: DnsSettings, ips: readonly string[]): FileOp[] {
  const { files } = paths;
  const file = (path: string, data: string): FileOp => ({ op: 'write', path, data, mode: 0o644 });
  return [
    file(files.hosts, hostsFile(pod, ips, pod.spec.hostNetwork ? nodeHosts() : '')),
    file(files.hostname, `${kernelHostname(pod)}\n`),
    file(files.resolvConf, resolvConf(pod, dns)),
  ];
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
