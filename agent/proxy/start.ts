/** The node's Service proxy as the agent starts it: mode, switches of the kernel, and the node's own facts. */
import { netlink, type RouteInfo } from '../../native/index.js';
import { familyOf } from '../../src/base/cidr.js';
import { UserError } from '../../src/base/errors.js';
import type { Logger } from '../../src/base/log.js';
import type { KubeObject } from '../../src/kube/meta.js';
import type { Node } from '../../src/kube/node.js';
import { chooseBackend, cleanOthers } from './backends.js';
import type { BackendOptions, NodeFacts, ProxyBackend } from './contract.js';
import { HealthServers } from './health.js';
import type { ProxyMode } from './modes.js';
import { ServiceProxy } from './proxy.js';
import { enableForwarding, silenceRedirects } from './sysctl.js';

export interface NodeProxyOptions extends BackendOptions {
  readonly nodeName: string;
  readonly serviceCIDRs: readonly string[];
  readonly log: Logger;
}

export interface NodeProxy {
  /** Everything that the controller wants here; other kinds are passed over. */
  sync(objects: readonly KubeObject[]): void;
  put(object: KubeObject): void;
  gone(kind: string, uid: string, key: string): void;
  /** Where default/kubernetes leads from now on; undefined: to its endpoints. */
  setApiServer(apiServer: NodeFacts['apiServer']): void;
  close(remove: boolean): Promise<void>;
}

const none: NodeProxy = {
  sync: () => {},
  put: () => {},
  gone: () => {},
  setApiServer: () => {},
  close: async () => {},
};

/**
 * Before anything is made: the mode's backend, or undefined if nobody serves Services here.
 * @throws UserError if the mode cannot be had; `auto` goes on without Services, and says so
 */
export async function chooseProxy(mode: ProxyMode, options: BackendOptions): Promise<ProxyBackend | undefined> {
  try {
    return await chooseBackend(mode, options);
  } catch (error) {
    if (mode !== 'auto' || !(error instanceof UserError)) throw error;
    options.warn?.(error.message);
    return undefined;
  }
}

/** @param backend of `chooseProxy` */
export async function startProxy(backend: ProxyBackend | undefined, options: NodeProxyOptions): Promise<NodeProxy> {
  await cleanOthers(backend, options);
  if (!backend) return none;
  await enableForwarding(options.clusterCidrs.some(cidr => cidr.includes(':')));
  await leadHome(options);
  options.log.info({ mode: backend.name }, 'Services are served');
  return follow(backend, options);
}

/** Without any route to it, the node itself could not even begin a connection to a cluster address. */
async function leadHome({ bridge, serviceCIDRs }: NodeProxyOptions): Promise<void> {
  const [routes] = await netlink(null, [{ op: 'route.list' }]);
  const ways = ((routes ?? []) as RouteInfo[]).filter(({ to }) => to === 'default');
  const led = new Set(ways.map(({ via = '' }) => familyOf(via)));
  for (const to of serviceCIDRs)
    if (!led.has(familyOf(to))) await netlink(null, [{ op: 'route.replace', to, dev: bridge }]);
  await silenceRedirects(bridge);
}

const zoneLabel = 'topology.kubernetes.io/zone';

function follow(backend: ProxyBackend, { nodeName, log }: NodeProxyOptions): NodeProxy {
  let node: NodeFacts = { name: nodeName };
  const proxy = new ServiceProxy({ backend, node, health: new HealthServers(log), log });
  const set = (facts: Partial<NodeFacts>) => {
    node = { ...node, ...facts };
    proxy.setNode(node);
  };
  const machines = new Machines(backend);
  const see = (object: KubeObject) => {
    if (object.kind !== 'Node') return;
    if (object.metadata.name === nodeName) set({ zone: object.metadata.labels?.[zoneLabel] });
    else machines.put(object as Node);
  };
  return {
    sync: objects => {
      for (const object of objects) see(object);
      proxy.sync(objects);
    },
    put: object => {
      see(object);
      proxy.put(object);
    },
    gone: (kind, uid, key) => {
      if (kind === 'Node') machines.gone(key);
      proxy.gone(kind, uid, key);
    },
    setApiServer: apiServer => set({ apiServer }),
    close: remove => proxy.close(remove),
  };
}

/** Which addresses are other nodes' own. */
class Machines {
  readonly #byNode = new Map<string, readonly string[]>();
  constructor(readonly backend: ProxyBackend) {}

  put({ metadata, status }: Node): void {
    this.#byNode.set(
      metadata.name,
      (status?.addresses ?? []).filter(({ type }) => type.endsWith('IP')).map(({ address }) => address),
    );
    this.#tell();
  }

  gone(name: string): void {
    this.#byNode.delete(name);
    this.#tell();
  }

  #tell(): void {
    this.backend.setMachines?.(new Set([...this.#byNode.values()].flat()));
  }
}
