/** Everything a pod worker may touch, put together from the parts of its node. */

import type { Logger } from '../src/base/log.js';
import type { Service } from '../src/kube/api/core-v1.js';
import type { ConfigMap, Secret } from '../src/kube/node.js';
import type { Pod } from '../src/kube/pod.js';
import type { LinkClient } from '../src/link/client.js';
import type { NodeSupply } from './admission/supply.js';
import { createContainerRuntime } from './containers/runtime.js';
import type { EventRecorder } from './events.js';
import { type CgroupTree, memoryBytes } from './machine.js';
import type { NodeNetworking } from './network/start.js';
import type { AgentOptions } from './options.js';
import type { PodReporter } from './pod-reporter.js';
import type { PodNode } from './pods/node-contract.js';
import { attemptDirectory, type NodePaths } from './pods/paths.js';
import { listAttempts } from './pods/records.js';
import type { PolicyEnforcer } from './policy/enforcer.js';
import { TokenKeeper } from './volumes/tokens.js';

export interface NodeParts {
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
  readonly dns: PodNode['dns'];
  readonly bootID: string;
  readonly events: EventRecorder;
  readonly pods: PodReporter;
  readonly link: () => LinkClient;
}

export function podNode({
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
  dns,
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
    get hostIPs() {
      return networking.addresses.length > 0 ? networking.addresses : ['127.0.0.1'];
    },
    memoryBytes: memoryBytes('MemTotal'),
    resources: supply.resources,
    refuses,
    activePods,
    get allocatable() {
      return supply.allocatable;
    },
    dns,
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
