/** Wires one node together: machine → network, images, runtime, pods → link. The only file of the agent that knows all. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cgroupApply, cgroupRemove, netlink } from '../native/index.js';
import { describe, UserError } from '../src/base/errors.js';
import { createLogger, type Logger } from '../src/base/log.js';
import { acquireLock } from '../src/base/process-lock.js';
import { version } from '../src/base/version.js';
import type { Service } from '../src/kube/api/core-v1.js';
import type { KubeObject } from '../src/kube/meta.js';
import type { ConfigMap, Node, Secret } from '../src/kube/node.js';
import type { Pod } from '../src/kube/pod.js';
import { LinkClient } from '../src/link/client.js';
import { isShared } from '../src/link/shared.js';
import type { RunningContainer } from './admission/node-resources.js';
import { NodeSupply, type ResourceOptions } from './admission/supply.js';
import { unlessGone, writeGroup } from './cgroups/write.js';
import { startChores } from './chores.js';
import { createContainerRuntime } from './containers/runtime.js';
import { apiTarget, linkAddress } from './credentials.js';
import { upstreamServers } from './dns/upstream.js';
import { EventRecorder } from './events.js';
import { keeping } from './eviction/keeping.js';
import { createImageStore } from './images/store.js';
import { type CgroupTree, cgroupTree, memoryBytes, systemInfo } from './machine.js';
import type { OverlayMode } from './network/overlay.js';
import { isOpen, type NodeNetworking, startNetwork } from './network/start.js';
import { NodeReporter } from './node-reporter.js';
import { PodReporter } from './pod-reporter.js';
import { adoptPods } from './pods/adopt.js';
import { clusterDomain } from './pods/etc-files.js';
import { logCheckMs, rotateLogs } from './pods/log-keeper.js';
import { PodManager } from './pods/manager.js';
import type { PodNode } from './pods/node-contract.js';
import { attemptCgroup, attemptDirectory, cgroupRoot, type NodePaths } from './pods/paths.js';
import { listAttempts } from './pods/records.js';
import { StaticFiles } from './pods/static-files.js';
import type { PodWorker } from './pods/worker.js';
import { PolicyEnforcer } from './policy/enforcer.js';
import type { ProxyMode, Scheduler } from './proxy/modes.js';
import { chooseProxy, startProxy } from './proxy/start.js';
import { ClusterServices } from './served/cluster-services.js';
import { isSystemStopping } from './shutdown.js';
import { evictOverLimit, storageCheckMs } from './stats/storage-watch.js';
import { sampleEveryMs, UsageSampler } from './stats/usage.js';
import { StreamServer } from './streams.js';
import { LiveVolumes } from './volumes/live.js';
import { TokenKeeper } from './volumes/tokens.js';
import { refreshTokens } from './volumes/volumes.js';

export interface AgentOptions {
  readonly nodeName: string;
  readonly dataDir: string;
  readonly runDir: string;
  readonly cgroupName: string;
  readonly manifestsDir: string;
  /** kubeconfig of this node: server, CA and client certificate. Need not exist yet. */
  readonly credentials: string;
  /** Undefined: the controller hands one out. */
  readonly podCIDR: string | undefined;
  readonly clusterCIDR: string;
  readonly overlay: OverlayMode;
  readonly cniConfDir: string;
  readonly cniBinDirs: readonly string[];
  /** Address of this node that others reach it by. Undefined: the machine's first. */
  readonly nodeIP: string | undefined;
  readonly proxyMode: ProxyMode;
  readonly ipvsScheduler: Scheduler;
  readonly maxPods: number;
  /** Beside the safe ones, as PodNode has them. */
  readonly allowedUnsafeSysctls: readonly string[];
  /** In a network namespace of our own: bring up loopback ourselves. */
  readonly isolated: boolean;
  /** On stop, take every pod, link, cgroup and rule away. */
  readonly removeOnStop: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** What of this node pods may use. */
  readonly resources: ResourceOptions;
}

export interface Agent {
  /** Resolves when the controller has stored this node as ready. */
  readonly ready: Promise<void>;
  /** Ends the pods because the machine goes down (docs/resources.md); the agent itself goes on. */
  shutDown(): Promise<void>;
  stop(): Promise<void>;
}

/** The Service kube-system/kube-dns, which the agent answers. */
const clusterDNS = '10.96.0.10';
/** How often tokens are looked at; they live ten minutes at least, and are renewed at 80 % of that. */
const tokenCheckMs = 60_000;
/** Where Services get their cluster addresses. */
const serviceCidr = '10.96.0.0/12';
/** How often it is looked whether somebody has flushed the rules of host ports. */
const hostPortCheckMs = 5000;
/** With --rm, pods get this long to end by themselves. */
const removalGraceMs = 2000;

export async function startAgent(options: AgentOptions): Promise<Agent> {
  if (process.getuid?.() !== 0) throw new UserError('keelson agent must run as root', 'try: sudo keelson agent …');
  const log = createLogger('agent');
  const address = linkAddress(options.credentials);
  const tree = cgroupTree();
  const directories: NodePaths = {
    dataDir: options.dataDir,
    runDir: options.runDir,
    cgroupMount: tree.mount,
    cgroupName: options.cgroupName,
  };
  await mkdir(options.dataDir, { recursive: true, mode: 0o700 });
  await mkdir(options.runDir, { recursive: true, mode: 0o700 });
  const lock = acquireLock(join(options.dataDir, 'agent.lock'), `data directory ${options.dataDir}`);
  // the parts know each other in a circle: the later ones are reached when they are needed
  const parts: { manager?: PodManager; link?: LinkClient } = {};
  // first: what cannot be is said before anything is made
  const supply = new NodeSupply({
    options: options.resources,
    dataDir: options.dataDir,
    maxPods: options.maxPods,
    controllers: tree.controllers,
    log,
    node: () => parts.link?.object('Node', '', options.nodeName) as Node | undefined,
    onHeld: () => parts.manager && void shareOut(),
    onChange: () => parts.link?.connected && void reporter.report(),
  });
  const proxyOptions = {
    clusterCidrs: [options.clusterCIDR],
    bridge: 'cni0',
    ipvsScheduler: options.ipvsScheduler,
    warn: (message: string) => log.warn(message),
  };
  const backend = await chooseProxy(options.proxyMode, proxyOptions);
  await prepareKernel(options, tree, directories);
  const networking = await startNetwork({
    ...options,
    log,
    nodes: () => (parts.link?.synced ? (parts.link.objectsOf('Node') as Node[]) : undefined),
    onChange: () => parts.link?.connected && void reporter.report(),
    onProblem: words => events.record(aboutNode(options.nodeName), 'Warning', 'NodeNotReachable', words),
  });
  const services = await startProxy(backend, { ...proxyOptions, nodeName: options.nodeName, serviceCidr, log });
  const nodeResolvConf = existsSync('/etc/resolv.conf') ? readFileSync('/etc/resolv.conf', 'utf8') : '';
  const own = new ClusterServices({
    clusterDomain,
    nameservers: upstreamServers(nodeResolvConf, clusterDNS),
    api: () => apiTarget(options.credentials),
    log,
  });
  const policies = new PolicyEnforcer(log);
  const followers = [services, own, policies];
  const images = createImageStore(options.dataDir);
  const info = systemInfo();

  const manager = () => parts.manager as PodManager;
  const link = () => parts.link as LinkClient;
  const events = new EventRecorder(options.nodeName, Date.now, (key, event) =>
    link().report(`event/${key}`, { t: 'event', event }),
  );
  const pods = new PodReporter((key, report) => link().report(key, report), manager);
  async function shareOut(): Promise<void> {
    try {
      await supply.resources.spreadCpus(runningContainers(manager().workers()));
      // made at the start; at the very end it is gone
      for (const [qos, files] of supply.resources.groupFiles(manager().activePods()))
        await writeGroup(join(cgroupRoot(directories), qos), files).catch(unlessGone);
    } catch (error) {
      log.warn({ error: describe(error) }, 'CPUs and memory could not be shared out anew');
    }
  }
  const keep = keeping({
    ...options,
    images,
    log,
    workers: () => manager().workers(),
    onChange: () => parts.link?.connected && void reporter.report(),
    podEvent: (pod, reason, message) => node.event(pod, 'Warning', reason, message),
    nodeEvent: (type, reason, message) => events.record(aboutNode(options.nodeName), type, reason, message),
  });
  const node = podNode({
    supply,
    refuses: keep.refuses,
    activePods: () => manager().activePods(),
    options,
    tree,
    directories,
    networking,
    policies,
    images,
    log,
    nodeResolvConf,
    bootID: info.bootID,
    events,
    pods,
    link,
  });
  parts.manager = new PodManager(node, { onMirrorGone: key => pods.mirror(key) });
  const streams = new StreamServer(parts.manager);
  const reporter = new NodeReporter({
    ...options,
    name: options.nodeName,
    networking: () => networking,
    info,
    images,
    link,
    log,
    capacity: () => supply.capacity(),
    pressures: () => keep.pressure.conditions,
    notReady: () => keep.shutdown.notReady,
  });

  let toldReady = false;
  let resolveReady: () => void = () => {};
  const ready = new Promise<void>(resolve => {
    resolveReady = resolve;
  });
  const live = new LiveVolumes({
    sources: { ...node.sources, allocatable: node.allocatable },
    pods: () => standing(manager().workers()),
    event: node.event,
  });
  const nodesChanged = (): void => {
    networking.follow();
    settle();
  };
  // the last report was made with a network, and the controller has drawn its conclusions
  const settle = (): void => {
    if (toldReady && isOpen(link().object('Node', '', options.nodeName))) resolveReady();
  };
  const put = (object: KubeObject): void => {
    takeObject(object);
    live.changed(object);
  };
  const takeObject = (object: KubeObject): void => {
    if (object.kind === 'Node') nodesChanged();
    if (isShared(object.kind)) return void followers.map(follower => follower.put(object));
    if (object.kind !== 'Pod') return manager().retryObstacles();
    manager().put(object as Pod);
    pods.mirrorAppeared(object as Pod);
  };
  parts.link = new LinkClient({
    ...address,
    version,
    bootID: info.bootID,
    log,
    events: {
      onConnected: () => {
        void reporter.report();
        pods.mirrorAll();
      },
      onSync: objects => {
        const found = objects.filter(o => o.kind === 'Pod') as Pod[];
        manager().sync(found);
        for (const pod of found) pods.mirrorAppeared(pod);
        for (const follower of followers) follower.sync(objects);
        nodesChanged();
        live.all();
      },
      onPut: put,
      onGone: (kind, uid, key) => {
        for (const follower of followers) follower.gone(kind, uid, key);
        if (kind === 'Node') networking.follow();
        if (kind === 'Pod') manager().remove(uid);
      },
      onStream: (stream, request) => streams.serve(stream, request),
      onRefused: (key, _report, status) => {
        // the object went, or is another one by now: what we said of the old one matters to nobody
        const stale = status.code === 404 || status.code === 409;
        log[stale ? 'debug' : 'warn']({ key, message: status.message }, 'the controller refused a report');
      },
      onAcknowledged: (key, report) => {
        if (key !== 'node' || report.t !== 'node') return;
        toldReady = isReady(report.node);
        settle();
      },
    },
  });

  parts.manager.adopt(await adoptPods(node));
  supply.resources.adopted(parts.manager.activePods());
  await supply.start();
  const files = staticFiles(options, log, events, found => {
    manager().setStatic(found);
    pods.setStatic(found);
  });
  keep.pressure.look();
  await files.start();
  parts.link.start();
  reporter.start();
  const usage = new UsageSampler();
  const workers = () => manager().workers();
  const stopChores = startChores(
    [
      { what: 'tokens', everyMs: () => tokenCheckMs, run: () => renewTokens(standing(workers()), node) },
      { what: 'logs', everyMs: () => logCheckMs, run: () => rotateLogs(workers()) },
      { what: 'local storage', everyMs: () => storageCheckMs, run: () => evictOverLimit(workers(), evicted) },
      ...keep.chores,
      { what: 'host ports', everyMs: () => hostPortCheckMs, run: () => networking.network.check() },
      { what: 'usage', everyMs: () => sampleEveryMs([...workers()].length), run: sampleUsage },
    ],
    log,
  );
  function evicted(pod: Pod, message: string): void {
    node.event(pod, 'Warning', 'Evicted', message);
  }
  async function sampleUsage(): Promise<void> {
    if (link().connected) link().stats({ t: 'stats', stats: await usage.sample(workers()) });
  }
  log.info(
    { node: options.nodeName, podCIDRs: networking.podCIDRs, controllers: [...tree.controllers] },
    'agent started',
  );

  return {
    ready,
    shutDown: () => keep.shutdown.begin(),
    stop: async () => {
      if (!options.isolated && options.resources.shutdown.graceMs > 0 && (await isSystemStopping()))
        await keep.shutdown.begin();
      stopChores();
      reporter.stop();
      await files.close();
      await supply.close();
      if (options.removeOnStop) await manager().stopAll(removalGraceMs);
      events.flush();
      await link().drain(3000);
      link().close();
      await manager().close();
      await own.close();
      await policies.close(options.removeOnStop);
      await services.close(options.removeOnStop);
      await networking.close(options.removeOnStop);
      if (options.removeOnStop) await cgroupRemove(cgroupRoot(directories));
      lock.release();
    },
  };
}

const isReady = ({ status }: Node): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;

/** A pod that has been torn down has no volumes to keep up. */
function* standing(workers: Iterable<PodWorker>): Iterable<PodWorker> {
  for (const worker of workers) if (!worker.facts.tornDown) yield worker;
}

/** One pod whose token cannot be had does not keep the others from theirs. */
async function renewTokens(workers: Iterable<PodWorker>, { sources, log }: PodNode): Promise<void> {
  for (const { pod, paths } of workers)
    await refreshTokens(pod, paths.volumes, sources, Date.now()).catch((error: unknown) =>
      log.warn({ pod: pod.metadata.uid, error: describe(error) }, 'token could not be renewed: tried again'),
    );
}

function* runningContainers(workers: Iterable<PodWorker>): Iterable<RunningContainer> {
  for (const { pod, paths, facts } of workers)
    for (const [container, { live }] of Object.entries(facts.containers))
      if (live) yield { pod, container, cgroup: attemptCgroup(paths, container, live.attempt) };
}

/** Loopback, our top cgroup with its controllers. */
async function prepareKernel(options: AgentOptions, tree: CgroupTree, directories: NodePaths): Promise<void> {
  if (options.isolated) await netlink(null, [{ op: 'link.set', name: 'lo', up: true }]);
  await cgroupApply({ root: tree.mount, path: cgroupRoot(directories), controllers: [...tree.controllers], files: [] });
  if (options.resources.memoryQos)
    for (const qos of ['guaranteed', 'burstable'])
      await cgroupApply({
        root: tree.mount,
        path: join(cgroupRoot(directories), qos),
        controllers: [...tree.controllers],
        files: [],
      });
}

interface NodeParts {
  readonly refuses: PodNode['refuses'];
  readonly supply: NodeSupply;
  readonly activePods: () => readonly Pod[];
  readonly options: AgentOptions;
  readonly tree: CgroupTree;
  readonly directories: NodePaths;
  readonly networking: NodeNetworking;
  readonly policies: PolicyEnforcer;
  readonly images: PodNode['images'];
  readonly log: Logger;
  readonly nodeResolvConf: string;
  readonly bootID: string;
  readonly events: EventRecorder;
  readonly pods: PodReporter;
  readonly link: () => LinkClient;
}

/** Everything a pod worker may touch. */
function podNode({
  refuses,
  supply,
  activePods,
  options,
  tree,
  directories,
  networking,
  policies,
  images,
  log,
  nodeResolvConf,
  bootID: boot,
  events,
  pods,
  link,
}: NodeParts): PodNode {
  const runtime = createContainerRuntime();
  const tokens = new TokenKeeper(request => link().requestToken(request), Date.now);
  return {
    name: options.nodeName,
    directories,
    get hostIP() {
      return networking.hostIP;
    },
    memoryBytes: memoryBytes('MemTotal'),
    resources: supply.resources,
    refuses,
    activePods,
    get allocatable() {
      return supply.allocatable;
    },
    dns: { clusterDNS, nodeResolvConf },
    bootID: boot,
    cgroupMount: tree.mount,
    controllers: tree.controllers,
    network: networking.network,
    policies,
    runtime,
    images,
    prefetchTokens: pod => tokens.prefetch(pod),
    allowedUnsafeSysctls: options.allowedUnsafeSysctls,
    services: () => link().objectsOf('Service') as Service[],
    sources: {
      image: reference => images.find(reference),
      token: (pod, source) => tokens.get(pod, source),
      configMap: (namespace, name) => link().object('ConfigMap', namespace, name) as ConfigMap | undefined,
      secret: (namespace, name) => link().object('Secret', namespace, name) as Secret | undefined,
    },
    log,
    now: Date.now,
    report: (pod, status) => {
      if (status.phase === 'Succeeded' || status.phase === 'Failed') supply.resources.keep(activePods());
      pods.status(pod, status);
    },
    gone: (pod, last) => {
      supply.resources.keep(activePods());
      pods.gone(pod, last);
    },
    event: (pod, type, reason, message, container) =>
      events.record(pods.apiPod(pod) ?? pod, type, reason, message, container && `spec.containers{${container}}`),
    removeAttempts: async (paths, container) => {
      for (const attempt of await listAttempts(paths, container))
        await runtime.remove(attemptDirectory(paths, container, attempt));
    },
  };
}

/** Events of a node name it by its name, as kubelet's do. */
const aboutNode = (name: string): KubeObject => ({ apiVersion: 'v1', kind: 'Node', metadata: { name, uid: name } });

function staticFiles(
  options: AgentOptions,
  log: Logger,
  events: EventRecorder,
  onPods: (pods: readonly Pod[]) => void,
): StaticFiles {
  const about = aboutNode(options.nodeName);
  return new StaticFiles({
    directory: options.manifestsDir,
    nodeName: options.nodeName,
    onPods,
    onProblem: (file, message) => {
      log.error({ file, message }, 'static pod file ignored');
      events.record(about, 'Warning', 'InvalidStaticPod', message);
    },
  });
}
