/** Which kernel parameters a pod may set: the safe ones of Kubernetes, each in a namespace of the pod's own. Pure. */
import type { Pod } from '../../src/kube/pod.js';

/** kubelet's pkg/kubelet/sysctl/safe_sysctls.go. */
const safe: ReadonlySet<string> = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_wmem',
]);

/** Kubernetes allows `/` for `.`, for interfaces with a dot in their name. */
const dotted = (name: string): string => name.replaceAll('/', '.');

/** `kernel.msg*` stands for all that begin so (kubelet's --allowed-unsafe-sysctls). */
const matches = (pattern: string, name: string): boolean =>
  pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name;

/** Why the first of the pod's sysctls is refused, if one is. @param allowed what this node allows beside the safe ones */
export function forbiddenSysctl(pod: Pod, allowed: readonly string[] = []): string | undefined {
  const { hostNetwork = false, hostIPC = false, securityContext } = pod.spec;
  for (const { name } of securityContext?.sysctls ?? []) {
    const plain = dotted(name);
    if (!safe.has(plain) && !allowed.some(pattern => matches(dotted(pattern), plain)))
      return `forbidden sysctl: "${name}" not allowlisted`;
    if (hostNetwork && plain.startsWith('net.')) return `forbidden sysctl: "${name}" not allowed with host net enabled`;
    if (hostIPC && /^(kernel|fs\.mqueue)\./.test(plain))
      return `forbidden sysctl: "${name}" not allowed with host ipc enabled`;
  }
  return undefined;
}
