/** The three files of /etc that Kubernetes manages in every container: their text, pure. */
import type { Pod } from '../../src/kube/pod.js';

/** The kernel's limit for a host name. */
const maxHostname = 64;
export const clusterDomain = 'cluster.local';

/** At most 63 characters of the pod's name, unless spec.hostname says otherwise. */
export function podHostname(pod: Pod): string {
  return pod.spec.hostname ?? pod.metadata.name.slice(0, 63).replace(/[-.]+$/, '');
}

/** hostname.subdomain.namespace.svc.cluster.local if there is a subdomain. */
function fqdn(pod: Pod): string | undefined {
  const { subdomain } = pod.spec;
  return subdomain ? `${podHostname(pod)}.${subdomain}.${pod.metadata.namespace}.svc.${clusterDomain}` : undefined;
}

/** What the pod's own UTS namespace is called: the short name, or all of it if the pod asks for that. */
export function kernelHostname(pod: Pod): string {
  const full = pod.spec.setHostnameAsFQDN ? fqdn(pod) : undefined;
  if (full === undefined) return podHostname(pod);
  if (full.length <= maxHostname) return full;
  throw new RangeError(
    `Failed to construct FQDN from Pod hostname and cluster domain, FQDN ${full} is too long (${maxHostname} characters is the max, ${full.length} characters requested)`,
  );
}

/** A pod in the node's network sees the names that the node knows. @param nodeHosts the node's /etc/hosts */
export function hostsFile(pod: Pod, ips: readonly string[], nodeHosts = ''): string {
  if (pod.spec.hostNetwork)
    return ['# Kubernetes-managed hosts file (host network).', nodeHosts.trimEnd(), ...aliasLines(pod), ''].join('\n');
  const name = fqdn(pod);
  const own = ips.map(ip => `${ip}\t${name ? `${name}\t` : ''}${podHostname(pod)}`);
  return [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...own,
    ...aliasLines(pod),
    '',
  ].join('\n');
}

function aliasLines({ spec: { hostAliases = [] } }: Pod): string[] {
  if (hostAliases.length === 0) return [];
  const lines = hostAliases.map(({ ip, hostnames = [] }) => `${ip}\t${hostnames.join('\t')}`);
  return ['', '# Entries added by HostAliases.', ...lines];
}

export interface DnsSettings {
  /** Address of the cluster's DNS, if it runs. */
  readonly clusterDNS: string | undefined;
  /** Text of the node's own resolv.conf. */
  readonly nodeResolvConf: string;
}

/** resolv.conf by dnsPolicy and dnsConfig (Kubernetes: "DNS for Services and Pods"). */
export function resolvConf(pod: Pod, { clusterDNS, nodeResolvConf }: DnsSettings): string {
  const policy = pod.spec.dnsPolicy ?? 'ClusterFirst';
  const node = parseResolvConf(nodeResolvConf);
  const cluster =
    clusterDNS !== undefined &&
    (policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && !pod.spec.hostNetwork));
  const ns = pod.metadata.namespace ?? 'default';
  const base: ResolvConf =
    policy === 'None'
      ? { nameservers: [], searches: [], options: [] }
      : cluster
        ? {
            nameservers: [clusterDNS],
            searches: [`${ns}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain, ...node.searches],
            options: ['ndots:5'],
          }
        : node;
  const own = pod.spec.dnsConfig;
  const options = (own?.options ?? []).map(o => (o.value === undefined ? o.name : `${o.name}:${o.value}`));
  return format({
    nameservers: unique([...base.nameservers, ...(own?.nameservers ?? [])]),
    searches: unique([...base.searches, ...(own?.searches ?? [])]),
    options: unique([...base.options.filter(o => !options.some(n => n.split(':')[0] === o.split(':')[0])), ...options]),
  });
}

interface ResolvConf {
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export function parseResolvConf(text: string): ResolvConf {
  const lines = text.split('\n').map(line => line.trim().split(/\s+/));
  const of = (key: string) => lines.filter(([first]) => first === key).map(words => words.slice(1));
  return { nameservers: of('nameserver').flat(), searches: of('search').at(-1) ?? [], options: of('options').flat() };
}

function format({ nameservers, searches, options }: ResolvConf): string {
  return [
    ...(searches.length > 0 ? [`search ${searches.join(' ')}`] : []),
    ...nameservers.map(n => `nameserver ${n}`),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
    '',
  ].join('\n');
}

const unique = (list: readonly string[]): string[] => [...new Set(list)];
