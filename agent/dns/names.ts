/**
 * What the cluster's own names mean (Kubernetes DNS specification 1.1.0): Services, EndpointSlices → records. Answers are
 * found by index, so a question costs the same whatever the number of Services.
 */
import type { Service } from '../../src/kube/api/core-v1.js';
import type { Endpoint, EndpointSlice } from '../../src/kube/api/discovery-v1.js';
import type { KubeObject } from '../../src/kube/meta.js';

export interface Target {
  readonly address: string;
  readonly family: 'IPv4' | 'IPv6';
  /** The first label of its own name, `web-0` or `10-244-0-5`. */
  readonly host: string;
  readonly ports: readonly NamedPort[];
}

export interface NamedPort {
  readonly name: string;
  /** `tcp` */
  readonly protocol: string;
  readonly port: number;
}

export interface NamedService {
  readonly namespace: string;
  readonly name: string;
  readonly externalName: string | undefined;
  /** Of a Service with addresses of its own; empty for a headless one. */
  readonly clusterIPs: readonly string[];
  readonly ports: readonly NamedPort[];
}

const keyOf = (namespace: string | undefined, name: string): string => `${namespace ?? 'default'}/${name}`;
export const familyOf = (address: string): 'IPv4' | 'IPv6' => (address.includes(':') ? 'IPv6' : 'IPv4');

const serviceNameLabel = 'kubernetes.io/service-name';

export class ServiceNames {
  readonly #services = new Map<string, NamedService>();
  /** By Service, then by the slice's UID. */
  readonly #targets = new Map<string, Map<string, readonly Target[]>>();
  /** UID → the Service of a slice. */
  readonly #owners = new Map<string, string>();
  /** UID → the key of a Service. */
  readonly #uids = new Map<string, string>();
  /** How many Services each namespace has. */
  readonly #namespaces = new Map<string, number>();
  /** Address → the Services that have it, or stand before it. */
  readonly #byAddress = new Map<string, Set<string>>();

  service(namespace: string, name: string): NamedService | undefined {
    return this.#services.get(keyOf(namespace, name));
  }

  targets(namespace: string, name: string): readonly Target[] {
    const found = [...(this.#targets.get(keyOf(namespace, name))?.values() ?? [])].flat();
    // an endpoint is in two slices for a moment while it moves
    return [...new Map(found.map(target => [`${target.host}/${target.address}`, target])).values()];
  }

  hasNamespace(name: string): boolean {
    return this.#namespaces.has(name);
  }

  /** `web.default` or `web-0.web.default` for each name that leads to an address. */
  namesOf(address: string): string[] {
    return [...(this.#byAddress.get(address) ?? [])].flatMap(key => {
      const [namespace = '', name = ''] = key.split('/');
      const service = this.#services.get(key);
      if (service?.clusterIPs.includes(address)) return [`${name}.${namespace}`];
      // one pod may stand behind many Services: its name is that in the headless one
      if (!service || service.clusterIPs.length > 0) return [];
      return this.targets(namespace, name).flatMap(t =>
        t.address === address ? [`${t.host}.${name}.${namespace}`] : [],
      );
    });
  }

  /** Other kinds have no names. @returns whether anything may be answered differently now */
  put(object: KubeObject): boolean {
    if (object.kind === 'Service') this.#putService(object as Service);
    else if (object.kind === 'EndpointSlice') this.#putSlice(object as EndpointSlice);
    else return false;
    return true;
  }

  remove(kind: string, uid: string): boolean {
    if (kind === 'Service') this.#removeService(uid);
    else if (kind === 'EndpointSlice') this.#removeSlice(uid);
    else return false;
    return true;
  }

  sync(objects: readonly KubeObject[]): void {
    for (const uid of [...this.#uids.keys()]) this.#removeService(uid);
    for (const uid of [...this.#owners.keys()]) this.#removeSlice(uid);
    for (const object of objects) this.put(object);
  }

  #putService(service: Service): void {
    const { namespace = 'default', name = '', uid = '' } = service.metadata;
    this.#removeService(uid);
    const key = keyOf(namespace, name);
    const named = namedService(namespace, name, service);
    this.#services.set(key, named);
    this.#uids.set(uid, key);
    this.#namespaces.set(namespace, (this.#namespaces.get(namespace) ?? 0) + 1);
    for (const address of named.clusterIPs) this.#index(address, key);
  }

  #removeService(uid: string): void {
    const key = this.#uids.get(uid);
    const service = key === undefined ? undefined : this.#services.get(key);
    if (key === undefined || !service) return;
    this.#uids.delete(uid);
    // one of the same name may have been made before this one was seen to go
    if ([...this.#uids.values()].includes(key)) return;
    this.#services.delete(key);
    for (const address of service.clusterIPs) this.#forget(address, key);
    const left = (this.#namespaces.get(service.namespace) ?? 1) - 1;
    if (left > 0) this.#namespaces.set(service.namespace, left);
    else this.#namespaces.delete(service.namespace);
  }

  #putSlice(slice: EndpointSlice): void {
    const { uid = '', namespace, labels } = slice.metadata;
    this.#removeSlice(uid);
    const name = labels?.[serviceNameLabel];
    if (!name || slice.addressType === 'FQDN') return;
    const key = keyOf(namespace, name);
    const targets = (slice.endpoints ?? []).flatMap(endpoint => targetsOf(endpoint, slice));
    const slices = this.#targets.get(key) ?? new Map<string, readonly Target[]>();
    this.#targets.set(key, slices.set(uid, targets));
    this.#owners.set(uid, key);
    for (const { address } of targets) this.#index(address, key);
  }

  #removeSlice(uid: string): void {
    const key = this.#owners.get(uid);
    if (key === undefined) return;
    this.#owners.delete(uid);
    const slices = this.#targets.get(key);
    const gone = slices?.get(uid) ?? [];
    slices?.delete(uid);
    if (slices?.size === 0) this.#targets.delete(key);
    const [namespace = '', name = ''] = key.split('/');
    const kept = new Set(this.targets(namespace, name).map(({ address }) => address));
    for (const { address } of gone) if (!kept.has(address)) this.#forget(address, key);
  }

  #index(address: string, key: string): void {
    const keys = this.#byAddress.get(address) ?? new Set<string>();
    this.#byAddress.set(address, keys.add(key));
  }

  #forget(address: string, key: string): void {
    const keys = this.#byAddress.get(address);
    keys?.delete(key);
    if (keys?.size === 0) this.#byAddress.delete(address);
  }
}

function namedService(namespace: string, name: string, { spec }: Service): NamedService {
  const addresses = spec?.clusterIPs ?? (spec?.clusterIP ? [spec.clusterIP] : []);
  return {
    namespace,
    name,
    externalName: spec?.type === 'ExternalName' ? spec.externalName : undefined,
    clusterIPs: addresses.filter(address => address !== 'None' && address !== ''),
    ports: (spec?.ports ?? []).map(port => ({
      name: port.name ?? '',
      protocol: (port.protocol ?? 'TCP').toLowerCase(),
      port: port.port,
    })),
  };
}

/** Only ready ones: the controller says so of all where a Service publishes addresses that are not. */
function targetsOf(endpoint: Endpoint, { ports = [] }: EndpointSlice): Target[] {
  if (endpoint.conditions?.ready === false) return [];
  const named = (ports ?? []).flatMap(({ name = '', protocol = 'TCP', port }) =>
    port === undefined || port === null
      ? []
      : [{ name: name ?? '', protocol: (protocol ?? 'TCP').toLowerCase(), port }],
  );
  return (endpoint.addresses ?? []).map(address => ({
    address,
    family: familyOf(address),
    host: endpoint.hostname ?? address.replaceAll(/[.:]/g, '-'),
    ports: named,
  }));
}
