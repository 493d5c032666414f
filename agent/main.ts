/** Wires one node together: machine → network, images, runtime, pods → link. The only file of the agent that knows all. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, type ConnectionOptions } from 'node:tls';
import { parse } from 'yaml';
import { createBridgeNetwork } from '../cni/bridge.js';
import { cgroupApply, cgroupRemove, netlink } from '../native/index.js';
import { describe, UserError } from '../src/base/errors.js';
import { createLogger } from '../src/base/log.js';
import { acquireLock } from '../src/base/process-lock.js';
import { version } from '../src/base/version.js';
import { keyOf, type KubeObject } from '../src/kube/meta.js';
import type { ConfigMap, Node, Secret } from '../src/kube/node.js';
import type { Pod } from '../src/kube/pod.js';
import { LinkClient, type LinkClientOptions } from '../src/link/client.js';
import { createContainerRuntime } from './containers/runtime.js';
import { createImageStore } from './images/store.js';
import { EventRecorder } from './events.js';
import { bootID, cgroupTree, cpuCount, diskOf, memoryBytes, nodeAddress, systemInfo } from './machine.js';
import { nodeObject } from './node-object.js';
import { adoptPods } from './pods/adopt.js';
import { PodManager } from './pods/manager.js';
import type { PodNode } from './pods/node-contract.js';
import { attemptDirectory, cgroupRoot, type NodePaths } from './pods/paths.js';
import { listAttempts } from './pods/records.js';
import { StaticFiles } from './pods/static-files.js';
import { mirrorFor } from './pods/static-pod.js';
import { UsageSampler } from './stats/usage.js';
import { StreamServer } from './streams.js';

export interface AgentOptions {
  readonly nodeName: string;
  readonly dataDir: string;
  readonly runDir: string;
  readonly cgroupName: string;
  readonly manifestsDir: string;
  /** kubeconfig of this node: server, CA and client certificate. Need not exist yet. */
  readonly credentials: string;
  readonly podCIDR: string;
  readonly clusterCIDR: string;
  readonly maxPods: number;
  /** In a network namespace of our own: bring up loopback ourselves. */
  readonly isolated: boolean;
  /** On stop, take every pod, link, cgroup and rule away. */
  readonly removeOnStop: boolean;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Agent {
  /** Resolves when the controller has stored this node as ready. */
  readonly ready: Promise<void>;
  stop(): Promise<void>;
}

const heartbeatMs = 10_000;
/** A full node status at least this often, even if nothing changed (reliability rule A11). */
const nodeStatusMs = 5 * 60_000;
const statsMs = 2000;

export async function startAgent(options: AgentOptions): Promise<Agent> {
  if (process.getuid?.() !== 0) throw new UserError('keelson agent must run as root', 'try: sudo keelson agent …');
  const log = createLogger('agent');
  const tree = cgroupTree();
  const directories: NodePaths = { dataDir: options.dataDir, runDir: options.runDir, cgroupMount: tree.mount, cgroupName: options.cgroupName };
  await mkdir(options.dataDir, { recursive: true, mode: 0o700 });
  await mkdir(options.runDir, { recursive: true, mode: 0o700 });
  const lock = acquireLock(join(options.dataDir, 'agent.lock'), `data directory ${options.dataDir}`);

  if (options.isolated) await netlink(null, [{ op: 'link.set', name: 'lo', up: true }]);
  await cgroupApply({ root: tree.mount, path: cgroupRoot(directories), controllers: [...tree.controllers], files: [] });
  const network = createBridgeNetwork({
    name: 'keelson',
    bridge: 'cni0',
    subnet: options.podCIDR,
    clusterCidr: options.clusterCIDR,
    mtu: 1500,
    hairpin: true,
    dataDir: join(options.dataDir, 'cni'),
  });
  await network.setup();
  const hostIP = nodeAddress() ?? firstAddress(options.podCIDR);
  const info = systemInfo();
  const images = createImageStore(options.dataDir);
  const runtime = createContainerRuntime();
  const now = () => Date.now();

  let manager: PodManager;
  let link: LinkClient;
  const events = new EventRecorder(options.nodeName, now, (key, event) => link.report(`event/${key}`, { t: 'event', event }));
  /** The API's object for a pod: a static pod is known there by its mirror. */
  const apiPod = (pod: Pod): Pod | undefined => (manager.isStaticPod(pod) ? manager.mirrorOf(pod) : pod);
  const identity = (pod: Pod) => ({ namespace: pod.metadata.namespace ?? 'default', name: pod.metadata.name, uid: pod.metadata.uid ?? '' });

  const lastStatus = new Map<string, Parameters<PodNode['report']>[1]>();
  const node: PodNode = {
    name: options.nodeName,
    directories,
    hostIP,
    memoryBytes: memoryBytes('MemTotal'),
    allocatable: { cpu: String(cpuCount()), memory: String(memoryBytes('MemTotal')) },
    dns: { clusterDNS: undefined, nodeResolvConf: readOr('/etc/resolv.conf', '') },
    bootID: bootID(),
    cgroupMount: tree.mount,
    controllers: tree.controllers,
    network,
    runtime,
    images,
    sources: {
      configMap: (namespace, name) => link.object('ConfigMap', namespace, name) as ConfigMap | undefined,
      secret: (namespace, name) => link.object('Secret', namespace, name) as Secret | undefined,
    },
    log,
    now,
    report: (pod, status) => {
      lastStatus.set(keyOf(pod), status);
      const target = apiPod(pod);
      if (target) link.report(`pod/${target.metadata.uid}`, { t: 'podStatus', ...identity(target), status });
    },
    gone: pod => {
      const target = apiPod(pod) ?? pod;
      lastStatus.delete(keyOf(pod));
      link.report(`pod/${target.metadata.uid}`, { t: 'podGone', ...identity(target) });
    },
    event: (pod, type, reason, message, container) => events.record(apiPod(pod) ?? pod, type, reason, message, container && `spec.containers{${container}}`),
    removeAttempts: async (paths, container) => {
      for (const attempt of await listAttempts(paths, container)) await runtime.remove(attemptDirectory(paths, container, attempt));
    },
  };
  const staticPods = new Map<string, Pod>();
  const mirror = (pod: Pod) => link.report(`mirror/${keyOf(pod)}`, { t: 'mirror', pod: mirrorFor(pod) });
  manager = new PodManager(node, {
    onMirrorGone: key => {
      const pod = staticPods.get(key);
      if (pod) mirror(pod);
    },
  });
  const streams = new StreamServer(manager);

  let resolveReady: () => void = () => {};
  const ready = new Promise<void>(resolve => {
    resolveReady = resolve;
  });
  let previous: Node['status'];
  const reportNode = async () => {
    const list = await images.list().catch(() => []);
    const object = nodeObject({
      name: options.nodeName,
      address: hostIP,
      podCIDR: options.podCIDR,
      cpus: cpuCount(),
      memoryTotalBytes: memoryBytes('MemTotal'),
      memoryAvailableBytes: memoryBytes('MemAvailable'),
      disk: diskOf(options.dataDir),
      maxPods: options.maxPods,
      info,
      labels: options.labels,
      images: list.map(i => ({ names: [...i.references], sizeBytes: i.sizeBytes })),
      notReady: undefined,
      previous: previous?.conditions ?? [],
      now: now(),
    });
    previous = object.status;
    link.report('node', { t: 'node', node: object });
  };

  const dispatch = (object: KubeObject): void => {
    if (object.kind === 'Pod') manager.put(object as Pod);
    else if (object.kind === 'ConfigMap' || object.kind === 'Secret') manager.retryObstacles();
  };
  link = new LinkClient({
    ...linkAddress(options.credentials),
    version,
    bootID: node.bootID,
    log,
    events: {
      onConnected: () => {
        void reportNode();
        for (const pod of staticPods.values()) mirror(pod);
      },
      onSync: objects => manager.sync(objects.filter(o => o.kind === 'Pod') as Pod[]),
      onPut: object => {
        dispatch(object);
        // the mirror has just appeared: tell it what is known of its static pod
        const status = object.kind === 'Pod' ? lastStatus.get(keyOf(object)) : undefined;
        const own = status && staticPods.get(keyOf(object));
        if (own && status) node.report(own, status);
      },
      onGone: (kind, uid) => {
        if (kind === 'Pod') manager.remove(uid);
      },
      onStream: (stream, request) => streams.serve(stream, request),
      onRefused: (key, _report, status) => log.warn({ key, message: status.message }, 'the controller refused a report'),
      onAcknowledged: key => {
        if (key === 'node') resolveReady();
      },
    },
  });

  manager.adopt(await adoptPods(node));
  const files = new StaticFiles({
    directory: options.manifestsDir,
    nodeName: options.nodeName,
    onPods: pods => {
      staticPods.clear();
      for (const pod of pods) staticPods.set(keyOf(pod), pod);
      manager.setStatic(pods);
      for (const pod of pods) if (!manager.mirrorOf(pod)) mirror(pod);
    },
    onProblem: (file, message) => {
      log.error({ file, message }, 'static pod file ignored');
      events.record({ apiVersion: 'v1', kind: 'Node', metadata: { name: options.nodeName, uid: options.nodeName } }, 'Warning', 'InvalidStaticPod', message);
    },
  });
  await files.start();
  link.start();

  const usage = new UsageSampler();
  const timers = [
    setInterval(() => link.report('heartbeat', { t: 'heartbeat' }), heartbeatMs),
    setInterval(() => void reportNode(), nodeStatusMs),
    setInterval(() => {
      if (link.connected) void usage.sample(manager.workers()).then(stats => link.stats({ t: 'stats', stats }), error => log.debug({ error: describe(error) }, 'stats failed'));
    }, statsMs),
  ];
  log.info({ node: options.nodeName, podCIDR: options.podCIDR, controllers: [...tree.controllers] }, 'agent started');

  return {
    ready,
    stop: async () => {
      for (const timer of timers) clearInterval(timer);
      await files.close();
      if (options.removeOnStop) await manager.stopAll(2000);
      await link.drain(3000);
      link.close();
      await manager.close();
      if (options.removeOnStop) {
        await network.teardown();
        await cgroupRemove(cgroupRoot(directories));
      }
      lock.release();
    },
  };
}

/** `10.244.3.0/24` → `10.244.3.1`, the bridge's own address. */
function firstAddress(cidr: string): string {
  const [network = ''] = cidr.split('/');
  const parts = network.split('.').map(Number);
  return [...parts.slice(0, 3), (parts[3] ?? 0) + 1].join('.');
}

function readOr(path: string, otherwise: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : otherwise;
}

/** Reads the node's kubeconfig at every dial, so that renewed certificates are taken up. */
function linkAddress(path: string): Pick<LinkClientOptions, 'url' | 'socket'> {
  return {
    url: 'wss://keelson-controller/link/v1',
    socket: () => {
      const { server, tls } = readCredentials(path);
      const unix = server.startsWith('unix:') ? server.slice(5) : undefined;
      const target: ConnectionOptions = unix ? { path: unix } : { host: new URL(server).hostname, port: Number(new URL(server).port || 443) };
      return { createConnection: (() => connect({ ...target, ...tls, servername: 'localhost', ALPNProtocols: ['http/1.1'] })) as never };
    },
  };
}

interface Credentials {
  readonly server: string;
  readonly tls: { ca?: Buffer; cert?: Buffer; key?: Buffer };
}

function readCredentials(path: string): Credentials {
  // no credentials yet: the dial fails, is logged, and is tried again
  if (!existsSync(path)) return { server: 'unix:/nonexistent', tls: {} };
  const config = parse(readFileSync(path, 'utf8')) as {
    clusters: [{ cluster: { server: string; 'certificate-authority-data': string } }];
    users: [{ user: { 'client-certificate-data': string; 'client-key-data': string } }];
  };
  const { cluster } = config.clusters[0];
  const { user } = config.users[0];
  const pem = (text: string) => Buffer.from(text, 'base64');
  return {
    server: cluster.server,
    tls: { ca: pem(cluster['certificate-authority-data']), cert: pem(user['client-certificate-data']), key: pem(user['client-key-data']) },
  };
}
