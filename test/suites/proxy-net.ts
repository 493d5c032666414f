/** The network that a suite of Services runs in: two pods on a bridge, a neighbour outside that is a client and a node. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { pino } from 'pino';
import type { BackendOptions, ProxyBackend } from '../../agent/proxy/contract.js';
import { HealthServers } from '../../agent/proxy/health.js';
import { ServiceProxy } from '../../agent/proxy/proxy.js';
import { enableForwarding } from '../../agent/proxy/sysctl.js';
import type { KubeObject } from '../../src/kube/meta.js';
import { type EndpointOptions, service, sliceOf } from '../helpers/services.js';
import { ask, connect, ip, openSpace, type Space } from '../helpers/spaces.js';

const options: BackendOptions = { clusterCidrs: ['10.244.0.0/16', 'fd00:10:244::/48'], bridge: 'cni0' };
const log = pino({ level: 'error' });

/** A way to serve Services, and what is peculiar to it. */
export interface ProxyRig {
  make(options: BackendOptions): ProxyBackend;
  /** Commands by which somebody else destroys its rules; each is repaired. */
  readonly damages: readonly (readonly string[])[];
  /** Whether damage is repaired, where Services answer meanwhile. */
  repaired?(): boolean;
  /** What is left of it in the kernel: nothing after cleanup. */
  left(): string;
  /** Endpoints see the client's address where the policy says so. */
  readonly keepsSource: boolean;
  /** A client is forgotten after its time even if the kernel still remembers its ended connections. */
  readonly forgetsClients: boolean;
  /** Established connections outlive the agent. */
  readonly survivesAgent: boolean;
}

export const onA: EndpointOptions = { address: '10.244.1.2', nodeName: 'n1' };
export const onB: EndpointOptions = { address: '10.244.1.3', nodeName: 'n1' };
export const onRemote: EndpointOptions = { address: '10.244.2.2', nodeName: 'n2' };

export class ProxyNet {
  a!: Space;
  b!: Space;
  outside!: Space;
  #proxy: ServiceProxy | undefined;

  constructor(readonly rig: ProxyRig) {}

  async open(): Promise<void> {
    await enableForwarding(true);
    ip('link', 'add', 'cni0', 'type', 'bridge');
    ip('address', 'add', '10.244.1.1/24', 'dev', 'cni0');
    ip('address', 'add', 'fd00:10:244:1::1/64', 'dev', 'cni0', 'nodad');
    ip('link', 'set', 'cni0', 'up');
    const spaces = await Promise.all([openSpace(), openSpace(), openSpace()]);
    [this.a, this.b, this.outside] = spaces as unknown as [Space, Space, Space];
    await Promise.all([this.a, this.b].map((pod, i) => addPod(pod, i)));
    await this.#addNeighbour();
    await Promise.all([this.a.serve('a', 8080), this.b.serve('b', 8080), this.outside.serve('remote', 8080)]);
    this.start();
  }

  /** A client outside, and another node with a pod. */
  async #addNeighbour(): Promise<void> {
    const { outside } = this;
    // telling the neighbour of a shorter way counts among the few errors that the kernel sends it per second
    for (const name of ['all', 'default']) writeFileSync(`/proc/sys/net/ipv4/conf/${name}/send_redirects`, '0');
    await connect(outside, 'up0', 'eth0', ['192.0.2.2/24', '10.244.2.2/32']);
    ip('address', 'add', '192.0.2.1/24', 'dev', 'up0');
    ip('route', 'add', 'default', 'via', '192.0.2.2');
    ip('route', 'add', '10.244.2.2', 'via', '192.0.2.2');
    for (const to of ['10.96.0.0/12', '10.244.1.0/24', '203.0.113.0/24'])
      await outside.run('ip', 'route', 'add', to, 'via', '192.0.2.1');
  }

  async close(): Promise<void> {
    await this.#proxy?.close(true);
    for (const space of [this.a, this.b, this.outside]) space?.close();
  }

  /** An agent. */
  start(): void {
    const backend = this.rig.make(options);
    this.#proxy = new ServiceProxy({ backend, node: { name: 'n1' }, health: new HealthServers(log), log });
  }
  async stop(remove: boolean): Promise<void> {
    await this.#proxy?.close(remove);
    this.#proxy = undefined;
  }

  async haveObjects(objects: readonly KubeObject[]): Promise<void> {
    this.#proxy?.sync(objects);
    await this.#proxy?.settled();
  }

  /** One Service, changed as a whole. */
  async have(spec: Parameters<typeof service>[1], endpoints: readonly EndpointOptions[]): Promise<void> {
    const made = service('web', spec);
    await this.haveObjects([made, sliceOf(made, endpoints)]);
  }

  /** Service and slices one by one, as a link tells them. */
  async put(objects: readonly KubeObject[]): Promise<void> {
    for (const object of objects) this.#proxy?.put(object);
    await this.#proxy?.settled();
  }
  async gone(object: KubeObject): Promise<void> {
    const { namespace, name, uid = '' } = object.metadata;
    this.#proxy?.gone(object.kind ?? '', uid, `${namespace}/${name}`);
    await this.#proxy?.settled();
  }

  /** That `name` answers, and who asked as it sees it. */
  expect(answer: string, name: string, source: string): void {
    if (this.rig.keepsSource) assert.equal(answer, `${name} ${source}`);
    else assert.equal(answer.split(' ')[0], name);
  }

  /** That these answer, and no others. */
  async expectAll(times: number, from: Space | undefined, address: string, port: number, answers: readonly string[]) {
    const seen = new Set<string>();
    const cut = (answer: string) => (this.rig.keepsSource ? answer : (answer.split(' ')[0] as string));
    for (let i = 0; i < times; i++) seen.add(cut(await ask(from, address, port)));
    assert.deepEqual([...seen].sort(), [...new Set(answers.map(cut))].sort());
  }
}

async function addPod(pod: Space, index: number): Promise<void> {
  const link = `pod${index}`;
  await connect(pod, link, 'eth0', [`10.244.1.${index + 2}/24`, `fd00:10:244:1::${index + 2}/64`]);
  ip('link', 'set', link, 'master', 'cni0');
  ip('link', 'set', link, 'type', 'bridge_slave', 'hairpin', 'on');
  await pod.run('ip', 'route', 'add', 'default', 'via', '10.244.1.1');
  await pod.run('ip', '-6', 'route', 'add', 'default', 'via', 'fd00:10:244:1::1');
}
