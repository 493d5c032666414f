/** The controller's parts seen through each other's contracts: the API's cache and client as the hub wants them. */
import { tokenForNode } from '../api/auth/node-token.js';
import type { ServiceAccountTokens } from '../api/auth/service-account-tokens.js';
import type { ApiClient } from '../api/client.js';
import { pod as podKind } from '../api/kinds/pod.js';
import { checkMirror, decodeReport } from '../api/node-reports.js';
import { podStatusText, readyCount } from '../api/pod/columns.js';
import type { ObjectView } from '../api/view.js';
import type { PodSummary } from '../dashboard/view.js';
import type { KubeObject } from '../kube/meta.js';
import type { Pod } from '../kube/pod.js';
import { policyPeersKind } from '../kube/policy-peers.js';
import { StatusError } from '../kube/status.js';
import type { HubChange, HubSink, HubView } from '../link/hub.js';
import { sharedKinds } from '../link/shared.js';
import type { PolicyView } from './policy-view.js';

const linkedKinds = new Set<string>(['Pod', 'ConfigMap', 'Secret', ...sharedKinds]);

/** @param policies takes the place of a kind that is stored nowhere */
export function hubView(view: ObjectView, policies: PolicyView): HubView {
  return {
    get incarnation() {
      return view.incarnation;
    },
    get revision() {
      return view.revision;
    },
    list: kind => (kind === policyPeersKind ? policies.list() : view.list(kind)),
    get: (kind, namespace, name) =>
      kind === policyPeersKind ? policies.get(namespace, name) : view.get(kind, namespace, name),
    subscribe: (listener: (change: HubChange) => void) => {
      const own = policies.subscribe(listener);
      const stored = view.subscribe(({ revision, type, kind, object, previous }) => {
        if (linkedKinds.has(kind)) listener({ revision, object, previous, deleted: type === 'DELETED' });
      });
      return {
        close: () => {
          own.close();
          stored.close();
        },
      };
    },
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

export function summarize(pod: Pod): PodSummary {
  const restarts = (pod.status?.containerStatuses ?? []).reduce((sum, s) => sum + s.restartCount, 0);
  return { status: podStatusText(pod), ready: readyCount(pod), restarts };
}
