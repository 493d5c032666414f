/** Pods in the states that controllers of pods ask about, made of literals. */
import type { Action } from '../../src/controllers/contract.js';
import type { KubeObject } from '../../src/kube/meta.js';
import type { Pod } from '../../src/kube/pod.js';
import { timestamp } from '../../src/kube/time.js';
import { object, start } from './facts.js';

export interface PodState {
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  readonly finalizers?: string[];
  readonly owner?: KubeObject;
  readonly node?: string;
  readonly phase?: string;
  readonly ready?: boolean;
  readonly deleted?: boolean;
  /** Milliseconds since 1970. */
  readonly made?: number;
  readonly ended?: number;
  readonly exitCode?: number;
  readonly restarts?: number;
  readonly spec?: object;
  readonly conditions?: { type: string; status: string }[];
}

export const ownerOf = ({ apiVersion, kind, metadata }: KubeObject) => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: metadata.uid ?? '',
  controller: true,
  blockOwnerDeletion: true,
});

export function pod(name: string, state: PodState = {}): Pod {
  const { phase = 'Running', ready = false, made = start, ended = made } = state;
  const exit = state.exitCode ?? (phase === 'Failed' ? 1 : phase === 'Succeeded' ? 0 : undefined);
  return object('Pod', name, 'd', {
    metadata: {
      creationTimestamp: timestamp(made),
      ...(state.labels && { labels: state.labels }),
      ...(state.annotations && { annotations: state.annotations }),
      ...(state.finalizers && { finalizers: state.finalizers }),
      ...(state.owner && { ownerReferences: [ownerOf(state.owner)] }),
      ...(state.deleted && { deletionTimestamp: timestamp(made + 30_000) }),
    },
    spec: { containers: [], ...(state.node && { nodeName: state.node }), ...state.spec },
    status: {
      phase,
      conditions: [
        ...(ready ? [{ type: 'Ready', status: 'True', lastTransitionTime: timestamp(made) }] : []),
        ...(state.conditions ?? []),
      ],
      containerStatuses: [
        {
          name: 'c',
          restartCount: state.restarts ?? 0,
          state: exit === undefined ? {} : { terminated: { exitCode: exit, finishedAt: timestamp(ended) } },
        },
      ],
    },
  }) as unknown as Pod;
}

/** `create Pod/web-0`, `patch StatefulSet/web/status`, `event Warning X`: one line for each action. */
export function deeds(actions: readonly Action[]): string[] {
  return actions.map(action => {
    if (action.do === 'event') return `event ${action.type} ${action.reason}`;
    if (action.do === 'create') return `create ${action.object.kind}/${action.object.metadata.name}`;
    const { kind, name } = action.target;
    return `${action.do} ${kind}/${name}${action.do === 'patch' && action.subresource ? `/${action.subresource}` : ''}`;
  });
}

/** The status that the actions write, as far as they change it. */
export function statusOf(actions: readonly Action[]): Record<string, unknown> | undefined {
  const patch = actions.find(action => action.do === 'patch' && action.subresource === 'status');
  return (patch as { patch: { status: Record<string, unknown> } } | undefined)?.patch.status;
}
