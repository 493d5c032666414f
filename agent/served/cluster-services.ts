/** What this node answers at Service addresses: the cluster's DNS and the API. Follows the objects that the node is told of. */
import type { NetConnectOpts } from 'node:net';
import type { Logger } from '../../src/base/log.js';
import type { Service } from '../../src/kube/api/core-v1.js';
import type { KubeObject } from '../../src/kube/meta.js';
import { ServiceNames } from '../dns/names.js';
import { Resolver } from '../dns/resolver.js';
import { listen } from '../dns/server.js';
import { type Server, Upstream } from '../dns/upstream.js';
import { listenForApi } from './api-relay.js';
import { ServedService } from './served-service.js';

export interface ClusterServicesOptions {
  readonly clusterDomain: string;
  /** Where names of others are asked for. */
  readonly nameservers: readonly Server[];
  /** Where this node reaches its controller. */
  readonly api: () => NetConnectOpts;
  readonly log: Logger;
}

const dnsPort = 53;

export class ClusterServices {
  readonly #names = new ServiceNames();
  readonly #resolver: Resolver;
  readonly #served: readonly ServedService[];

  constructor({ clusterDomain, nameservers, api, log }: ClusterServicesOptions) {
    this.#resolver = new Resolver(this.#names, new Upstream(nameservers), clusterDomain);
    const dns = (address: string) => listen(address, dnsPort, this.#resolver, log);
    const relay = (address: string) => listenForApi(address, api);
    this.#served = [
      new ServedService({ namespace: 'kube-system', name: 'kube-dns', listen: dns, log }),
      new ServedService({ namespace: 'default', name: 'kubernetes', listen: relay, log }),
    ];
  }

  sync(objects: readonly KubeObject[]): void {
    this.#names.sync(objects);
    this.#resolver.changed();
    const services = objects.filter(object => object.kind === 'Service') as Service[];
    for (const served of this.#served) served.see(services.find(service => served.isIt(service)));
  }

  put(object: KubeObject): void {
    if (this.#names.put(object)) this.#resolver.changed();
    if (object.kind !== 'Service') return;
    for (const served of this.#served) if (served.isIt(object as Service)) served.see(object as Service);
  }

  /** @param key `namespace/name` */
  gone(kind: string, uid: string, key: string): void {
    if (this.#names.remove(kind, uid)) this.#resolver.changed();
    const [namespace = '', name = ''] = key.split('/');
    if (kind !== 'Service') return;
    const metadata = { namespace, name } as Service['metadata'];
    for (const served of this.#served) if (served.isIt({ metadata } as Service)) served.see(undefined);
  }

  async close(): Promise<void> {
    await Promise.all(this.#served.map(served => served.close()));
  }
}
