/** The controller's parts seen through each other's contracts: the API's cache and client as the hub and scheduler want them. */
import { tokenForNode } from '../api/auth/node-token.js';
import type { ServiceAccountTokens } from '../api/auth/service-account-tokens.js';
import type { ApiClient } from '../api/client.js';
import { pod as podKind } from '../api/kinds/pod.js';
import { checkMirror, decodeReport } from '../api/node-reports.js';
import { podStatusText, readyCount } from '../api/pod/columns.js';
import type { ObjectView } from '../api/view.js';
import { describe } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import type { PodSummary } from '../dashboard/view.js';
import { type KubeObject, referenceTo } from '../kube/meta.js';
import type { Node } from '../kube/node.js';
import type { Pod } from '../kube/pod.js';
import { StatusError } from '../kube/status.js';
import type { HubChange, HubSink, HubView } from '../link/hub.js';
import type { SchedulerView, SchedulerWrites } from '../scheduler/loop.js';

const linkedKinds = new Set(['Pod', 'ConfigMap', 'Secret', 'Node']);

export function hubView(view: ObjectView): HubView {
  return {
    get incarnation() {
      return view.incarnation;
    },
    get revision() {
      return view.revision;
    },
    list: kind => view.list(kind),
    get: (kind, namespace, name) => view.get(kind, namespace, name),
    subscribe: (listener: (change: HubChange) => void) =>
      view.subscribe(({ revision, type, kind, object, previous }) => {
        if (linkedKinds.has(kind)) listener({ revision, object, previous, deleted: type === 'DELETED' });
      }),
  };
}

const mirrorAnnotation = 'kubernetes.io/config.mirror';
const mirrorHash = (pod: KubeObject | undefined): string | undefined => pod?.metadata.annotations?.[mirrorAnnotation];

export function hubSink(client: ApiClient, view: ObjectView, accounts: () => ServiceAccountTokens): HubSink {
  return {
    node: async (name, node) => (await client.registerNode(name, node)).revision,
    heartbeat: async name => (await client.heartbeat(name)).revision,
    podStatus: async (name, pod, status) => (await client.updatePodStatus(name, pod, status)).revision,
    podGone: async (name, pod, status) => {
      const found = view.get('Pod', pod.namespace, pod.name) as Pod | undefined;
      // a mirror has no life of its own: it goes when its node says so
      if (found && mirrorHash(found) && found.metadata.uid === pod.uid && found.spec.nodeName === name) {
        return (await client.delete('Pod', pod, { gracePeriodSeconds: 0 })).revision;
      }
      // its exit codes are seen before it goes (reliability rule A4.6); gone already is success
      if (status) await client.updatePodStatus(name, pod, status).catch(ignoreGone);
      return client.removePod(name, pod);
    },
    mirror: (name, pod) => putMirror(client, view, name, pod),
    token: (name, request) => tokenForNode(view, accounts(), name, request),
    event: async (name, event) => (await client.recordEvent(name, event)).revision,
  };
}

function ignoreGone(error: unknown): void {
  if (!(error instanceof StatusError) || (error.code !== 404 && error.code !== 409)) throw error;
}

/** A static pod's mirror: made, or replaced when its file has changed. */
async function putMirror(client: ApiClient, view: ObjectView, node: string, given: Pod): Promise<number> {
  const pod = decodeReport(podKind, given) as unknown as Pod;
  const { namespace, name } = pod.metadata;
  const found = view.get('Pod', namespace, name) as Pod | undefined;
  checkMirror(node, pod, found, mirrorHash);
  if (found && mirrorHash(found) === mirrorHash(pod)) return view.revision;
  if (found) await client.delete('Pod', { namespace, name, uid: found.metadata.uid }, { gracePeriodSeconds: 0 });
  return (await client.create('Pod', pod)).revision;
}

export function schedulerView(view: ObjectView): SchedulerView {
  return {
    pods: () => view.list('Pod') as unknown as Pod[],
    nodes: () => view.list('Node') as unknown as Node[],
    pod: (namespace, name) => view.get('Pod', namespace, name) as unknown as Pod | undefined,
    subscribe: listener =>
      view.subscribe(({ kind, object, type }) => {
        if (kind === 'Pod' || kind === 'Node') listener(object, type === 'DELETED');
      }),
  };
}

export function schedulerWrites(client: ApiClient, log: Logger): SchedulerWrites {
  const event = (pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string) =>
    void client
      .event('default-scheduler', referenceTo(pod), type, reason, message)
      .catch((error: unknown) => log.debug({ error: describe(error) }, 'event lost'));
  return {
    bind: async (pod, node) => {
      const { namespace = 'default', name, uid } = pod.metadata;
      await client.bind({ namespace, name, uid }, node);
      event(pod, 'Normal', 'Scheduled', `Successfully assigned ${namespace}/${name} to ${node}`);
    },
    unschedulable: async (pod, message) => {
      const before = pod.status?.conditions ?? [];
      // told once: it is asked again at every change of a node
      if (before.some(c => c.type === 'PodScheduled' && c.message === message)) return;
      const { namespace = 'default', name, uid } = pod.metadata;
      const condition = {
        type: 'PodScheduled',
        status: 'False' as const,
        reason: 'Unschedulable',
        message,
        lastProbeTime: null,
        lastTransitionTime: `${new Date().toISOString().slice(0, 19)}Z`,
      };
      await client.updateStatus(
        'Pod',
        { namespace, name, uid },
        { ...pod.status, conditions: [...before.filter(c => c.type !== 'PodScheduled'), condition] },
      );
      event(pod, 'Warning', 'FailedScheduling', message);
    },
  };
}

export function summarize(pod: Pod): PodSummary {
  const restarts = (pod.status?.containerStatuses ?? []).reduce((sum, s) => sum + s.restartCount, 0);
  return { status: podStatusText(pod), ready: readyCount(pod), restarts };
}
