/** The Node object and its conditions from measurements. Pure. */
import type { Condition } from '../src/kube/meta.js';
import type { Node, NodeSystemInfo } from '../src/kube/node.js';
import type { Capacity } from './admission/capacity.js';
import { type Pressure, pressures } from './eviction/decide.js';
import { pressureCondition } from './eviction/words.js';

export interface NodeFacts {
  readonly name: string;
  /** None, and no ranges: as long as the network is not set up. */
  readonly addresses: readonly string[];
  readonly podCIDRs: readonly string[];
  readonly amounts: Capacity;
  /** What the node is short of now. */
  readonly pressures: readonly Pressure[];
  readonly info: NodeSystemInfo;
  readonly labels: Readonly<Record<string, string>>;
  readonly images: readonly { readonly names: string[]; readonly sizeBytes: number }[];
  /** Why pods cannot be run now, if so. */
  readonly notReady: string | undefined;
  /** Condition by type as shown last, for transition times. */
  readonly previous: readonly Condition[];
  readonly now: number;
}

export function nodeObject(f: NodeFacts): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: f.name,
      labels: {
        'kubernetes.io/hostname': f.name,
        'kubernetes.io/os': f.info.operatingSystem,
        'kubernetes.io/arch': f.info.architecture,
        'beta.kubernetes.io/os': f.info.operatingSystem,
        'beta.kubernetes.io/arch': f.info.architecture,
        ...f.labels,
      },
    },
    spec: f.podCIDRs[0] ? { podCIDR: f.podCIDRs[0], podCIDRs: [...f.podCIDRs] } : {},
    status: {
      ...f.amounts,
      conditions: conditions(f),
      addresses: [
        ...f.addresses.map(address => ({ type: 'InternalIP', address }) as const),
        { type: 'Hostname', address: f.name },
      ],
      nodeInfo: f.info,
      images: f.images.map(i => ({ names: i.names, sizeBytes: i.sizeBytes })),
    },
  };
}

function conditions(f: NodeFacts): Condition[] {
  return [
    networkCondition(f),
    ...pressures.map(pressure => pressureCondition(pressure, f.pressures.includes(pressure))),
    f.notReady === undefined
      ? ({ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' } as const)
      : ({ type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: f.notReady } as const),
  ].map(c => stamp(c, f));
}

function networkCondition({ podCIDRs }: NodeFacts): Condition {
  const type = 'NetworkUnavailable';
  return podCIDRs.length === 0
    ? { type, status: 'True', reason: 'NoPodCIDR', message: 'keelson agent waits for a range of pod addresses' }
    : { type, status: 'False', reason: 'KeelsonIsUp', message: `pods have addresses of ${podCIDRs.join(' and ')}` };
}

function stamp(condition: Condition, { previous, now }: NodeFacts): Condition {
  const at = `${new Date(now).toISOString().slice(0, 19)}Z`;
  const old = previous.find(c => c.type === condition.type);
  const since = old?.status === condition.status && old.lastTransitionTime ? old.lastTransitionTime : at;
  return { ...condition, lastHeartbeatTime: at, lastTransitionTime: since };
}
