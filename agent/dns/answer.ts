/** A question about the cluster's own names → its answer. Pure: what is not ours is said to be elsewhere. */
import { isIP } from 'node:net';
import type { Answer, RecordType } from 'dns-packet';
import type { NamedPort, NamedService, ServiceNames, Target } from './names.js';

export interface DnsQuestion {
  /** As asked: the letters' case is given back. */
  readonly name: string;
  readonly type: RecordType;
}

export type DnsAnswer =
  /** Records; none of them: the name is there, and has nothing of this type. */
  | { readonly is: 'known'; readonly answers: readonly Answer[]; readonly additionals?: readonly Answer[] }
  /** The name is not there. */
  | { readonly is: 'unknown' }
  /** An alias, whose own answer is to follow it. */
  | { readonly is: 'alias'; readonly answers: readonly Answer[]; readonly target: string }
  | { readonly is: 'elsewhere' };

/** Seconds: short, because nobody tells resolvers of a change. */
export const ttl = 5;
const version = '1.1.0';

const noData: DnsAnswer = { is: 'known', answers: [] };
const unknown: DnsAnswer = { is: 'unknown' };

/** @param domain `cluster.local` */
export function answerOf({ name, type }: DnsQuestion, names: ServiceNames, domain: string): DnsAnswer {
  const lower = name.toLowerCase().replace(/\.$/, '');
  const reverse = addressOfReverse(lower);
  if (reverse !== undefined) return answerReverse(name, type, names.namesOf(reverse), domain);
  if (lower !== domain && !lower.endsWith(`.${domain}`)) return { is: 'elsewhere' };
  const labels = lower === domain ? [] : lower.slice(0, -domain.length - 1).split('.');
  const question = { name, type, labels, names, domain };
  switch (labels.at(-1)) {
    case undefined:
      return type === 'SOA' ? { is: 'known', answers: [startOfAuthority(domain)] } : noData;
    case 'svc':
      return inServices({ ...question, labels: labels.slice(0, -1) });
    case 'pod':
      return inPods(name, type, labels.slice(0, -1));
    case 'dns-version':
      return labels.length > 1 ? unknown : type === 'TXT' ? known([{ name, type, ttl, data: version }]) : noData;
    default:
      return unknown;
  }
}

export const startOfAuthority = (domain: string): Answer => ({
  type: 'SOA',
  name: domain,
  ttl,
  data: {
    mname: `ns.dns.${domain}`,
    rname: `hostmaster.${domain}`,
    serial: 1,
    refresh: 7200,
    retry: 1800,
    expire: 86_400,
    minimum: ttl,
  },
});

interface Question {
  readonly name: string;
  readonly type: RecordType;
  /** Those before `svc`. */
  readonly labels: readonly string[];
  readonly names: ServiceNames;
  readonly domain: string;
}

function inServices({ labels, ...question }: Question): DnsAnswer {
  const [namespace, name] = [labels.at(-1), labels.at(-2)];
  if (namespace === undefined) return noData;
  if (name === undefined) return question.names.hasNamespace(namespace) ? noData : unknown;
  const service = question.names.service(namespace, name);
  if (!service) return unknown;
  const [first = '', second] = labels.slice(0, -2).reverse();
  const of = { ...question, service, host: `${name}.${namespace}.svc.${question.domain}` };
  if (labels.length === 2) return ofService(of);
  if (labels.length === 3) return first.startsWith('_') ? noData : ofTarget(of, first);
  return labels.length === 4 && second ? ofPort(of, second, first) : unknown;
}

interface OfService extends Omit<Question, 'labels'> {
  readonly service: NamedService;
  /** Its whole name. */
  readonly host: string;
}

function ofService({ name, type, names, service, host }: OfService): DnsAnswer {
  const { externalName, clusterIPs, namespace } = service;
  if (externalName !== undefined) {
    const alias: Answer = { type: 'CNAME', name, ttl, data: externalName };
    return type === 'CNAME' ? known([alias]) : { is: 'alias', answers: [alias], target: externalName };
  }
  const targets = names.targets(namespace, service.name);
  const headless = clusterIPs.length === 0;
  if (headless && targets.length === 0) return unknown;
  if (type === 'SRV') return services({ name, service, host, targets, wanted: () => true });
  return known(addresses(name, type, headless ? targets.map(t => t.address) : clusterIPs));
}

function ofTarget({ name, type, names, service, host }: OfService, label: string): DnsAnswer {
  const found = names.targets(service.namespace, service.name).filter(t => t.host === label);
  if (service.externalName !== undefined || found.length === 0) return unknown;
  if (type === 'SRV') return headlessServices(name, host, found, () => true);
  const own = found.map(({ address }) => address);
  return known(addresses(name, type, own));
}

function ofPort({ name, type, names, service, host }: OfService, port: string, protocol: string): DnsAnswer {
  const wanted = (p: NamedPort): boolean => `_${p.name}` === port && `_${p.protocol}` === protocol;
  const targets = names.targets(service.namespace, service.name);
  const found = services({ name, service, host, targets, wanted });
  if (found.is !== 'known' || found.answers.length === 0) return unknown;
  return type === 'SRV' ? found : noData;
}

interface ServiceRecords {
  readonly name: string;
  readonly service: NamedService;
  readonly host: string;
  readonly targets: readonly Target[];
  readonly wanted: (port: NamedPort) => boolean;
}

function services({ name, service, host, targets, wanted }: ServiceRecords): DnsAnswer {
  if (service.clusterIPs.length === 0) return headlessServices(name, host, targets, wanted);
  const ports = service.ports.filter(wanted);
  const answers = ports.map(({ port }) => serviceRecord(name, host, port, ports.length));
  const additionals = answers.length > 0 ? service.clusterIPs.map(address => addressRecord(host, address)) : [];
  return { is: 'known', answers, additionals };
}

function headlessServices(
  name: string,
  host: string,
  targets: readonly Target[],
  wanted: (port: NamedPort) => boolean,
): DnsAnswer {
  const own = ({ host: first }: Target): string => `${first}.${host}`;
  const all = targets.flatMap(target => target.ports.filter(wanted).map(port => ({ target, port })));
  // a name with addresses of both families is one
  const pairs = [...new Map(all.map(pair => [`${own(pair.target)}:${pair.port.port}`, pair])).values()];
  return {
    is: 'known',
    answers: pairs.map(({ target, port }) => serviceRecord(name, own(target), port.port, pairs.length)),
    additionals: [...new Set(all.map(({ target }) => target))].map(t => addressRecord(own(t), t.address)),
  };
}

const serviceRecord = (name: string, target: string, port: number, count: number): Answer => ({
  type: 'SRV',
  name,
  ttl,
  data: { priority: 0, weight: Math.max(1, Math.floor(100 / count)), port, target },
});

const known = (answers: readonly Answer[]): DnsAnswer => ({ is: 'known', answers });

const addressRecord = (name: string, address: string): Answer => ({
  type: address.includes(':') ? 'AAAA' : 'A',
  name,
  ttl,
  data: address,
});

function addresses(name: string, type: RecordType, all: readonly string[]): Answer[] {
  return all.map(address => addressRecord(name, address)).filter(record => record.type === type);
}

/** `10-244-0-5.default.pod.cluster.local`, `fd00-10--5.default.pod.cluster.local`: the address is in the name. */
function inPods(name: string, type: RecordType, labels: readonly string[]): DnsAnswer {
  if (labels.length < 2) return noData;
  const [dashed = ''] = labels;
  const address = ['.', ':'].map(separator => dashed.replaceAll('-', separator)).find(text => isIP(text) > 0);
  if (labels.length > 2 || address === undefined) return unknown;
  return known(addresses(name, type, [address]));
}

function answerReverse(name: string, type: RecordType, found: readonly string[], domain: string): DnsAnswer {
  // other addresses have names too: those that the network outside gives them
  if (found.length === 0) return { is: 'elsewhere' };
  if (type !== 'PTR') return noData;
  return known(found.map(own => ({ type: 'PTR', name, ttl, data: `${own}.svc.${domain}` })));
}

/** `5.0.244.10.in-addr.arpa` → `10.244.0.5`, and the same for IPv6 in its shortest form. */
function addressOfReverse(name: string): string | undefined {
  const v4 = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/.exec(name);
  if (v4) return v4.slice(1).reverse().join('.');
  const v6 = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name);
  const groups = v6?.[1]?.replaceAll('.', '').split('').reverse().join('').match(/.{4}/g);
  return groups ? new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1) : undefined;
}
