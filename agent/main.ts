/** Wires one node together: machine → network, images, runtime, pods → link. The only file of the agent that knows all. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cgroupRemove } from '../native/index.js';
import { UserError } from '../src/base/errors.js';
import { createLogger, type Logger } from '../src/base/log.js';
import { acquireLock } from '../src/base/process-lock.js';
import { clusterAddresses } from '../src/base/service-cidr.js';
import { version } from '../src/base/version.js';
import type { Service } from '../src/kube/api/core-v1.js';
import type { KubeObject } from '../src/kube/meta.js';
import type { Node } from '../src/kube/node.js';
import type { Pod } from '../src/kube/pod.js';
import { LinkClient } from '../src/link/client.js';
import { isShared } from '../src/link/shared.js';
import { NodeSupply } from './admission/supply.js';
import { startChores } from './chores.js';
import { apiTarget, linkAddress } from './credentials.js';
import { upstreamServers } from './dns/upstream.js';
import { EventRecorder } from './events.js';
import { keeping } from './eviction/keeping.js';
import { createImageStore } from './images/store.js';
import { prepareKernel, shareOut } from './kernel.js';
import { cgroupTree, systemInfo } from './machine.js';
import { isOpen, startNetwork } from './network/start.js';
import { aboutNode } from './node-about.js';
import { podChores, standing } from './node-chores.js';
import { NodeReporter } from './node-reporter.js';
import type { Agent, AgentOptions } from './options.js';
import { podNode } from './pod-node.js';
import { PodReporter } from './pod-reporter.js';
import { adoptPods } from './pods/adopt.js';
import { clusterDomain } from './pods/etc-files.js';
import { PodManager } from './pods/manager.js';
import { cgroupRoot, type NodePaths } from './pods/paths.js';
import { StaticFiles } from './pods/static-files.js';
import { PolicyEnforcer } from './policy/enforcer.js';
import { chooseProxy, startProxy } from './proxy/start.js';
import { ClusterServices } from './served/cluster-services.js';
import { isSystemStopping } from './shutdown.js';
import { StreamServer } from './streams.js';
import { LiveVolumes } from './volumes/live.js';

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
    onHeld: () => parts.manager && void shareOut(supply, parts.manager, directories, log),
    onChange: () => parts.link?.connected && void reporter.report(),
  });
  const proxyOptions = {
    clusterCidrs: options.clusterCIDRs,
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
    onConfiguration: words =>
      events.record(aboutNode(options.nodeName), 'Warning', 'NetworkConfigurationChanged', words),
  });
  const services = await startProxy(backend, { ...proxyOptions, ...options, log });
  const nodeResolvConf = existsSync('/etc/resolv.conf') ? readFileSync('/etc/resolv.conf', 'utf8') : '';
  const own = new ClusterServices({
    clusterDomain,
    nameservers: upstreamServers(nodeResolvConf, clusterAddresses(options.serviceCIDRs).dns),
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
    dns: {
      // the first who knows is the cluster itself: agents of other machines may lack the flag
      get clusterDNS() {
        const found = parts.link?.object('Service', 'kube-system', 'kube-dns') as Service | undefined;
        return found?.spec?.clusterIP || clusterAddresses(options.serviceCIDRs).dns;
      },
      nodeResolvConf,
    },
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
  const stopChores = startChores(
    [
      ...podChores(node, () => manager().workers(), link),
      ...keep.chores,
      { what: 'host ports', everyMs: () => hostPortCheckMs, run: () => networking.network.check() },
    ],
    log,
  );
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
