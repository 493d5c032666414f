/** The Node that a simulated node says it is. Pure. */
import type { Condition } from '../kube/meta.js';
import type { Node } from '../kube/node.js';
import { timestamp } from '../kube/time.js';

export interface HollowCapacity {
  readonly cpu: string;
  readonly memory: string;
  readonly pods: number;
}

export interface HollowNodeFacts {
  readonly name: string;
  /** Counted from 0; decides addresses and zone. */
  readonly index: number;
  readonly capacity: HollowCapacity;
  /** Nodes are spread over so many zones; 0: no zones. */
  readonly zones: number;
  readonly version: string;
  readonly now: number;
}

/** 65,536 nodes have ranges of their own. */
export const podRange = (index: number): string => `10.${128 + ((index >> 8) & 127)}.${index & 255}`;

export function hollowNode(facts: HollowNodeFacts): Node {
  const { name, index, capacity, zones, version, now } = facts;
  const resources = {
    cpu: capacity.cpu,
    memory: capacity.memory,
    pods: String(capacity.pods),
    'ephemeral-storage': '100Gi',
  };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: {
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
        ...(zones > 0 && { 'topology.kubernetes.io/zone': `zone-${index % zones}` }),
      },
    },
    spec: { podCIDR: `${podRange(index)}.0/24`, podCIDRs: [`${podRange(index)}.0/24`] },
    status: {
      capacity: resources,
      allocatable: resources,
      conditions: conditions(now),
      addresses: [
        { type: 'InternalIP', address: `10.64.${(index >> 8) & 255}.${index & 255}` },
        { type: 'Hostname', address: name },
      ],
      nodeInfo: {
        ...{ machineID: name, systemUUID: name, bootID: name, kernelVersion: 'hollow', osImage: 'hollow' },
        ...{ containerRuntimeVersion: `hollow://${version}`, kubeletVersion: `v1.35.0+keelson-${version}` },
        ...{ kubeProxyVersion: '', operatingSystem: 'linux', architecture: 'amd64' },
      },
    },
  };
}

function conditions(now: number): Condition[] {
  const at = timestamp(now);
  const times = { lastHeartbeatTime: at, lastTransitionTime: at };
  const fine = ['MemoryPressure', 'DiskPressure', 'PIDPressure'].map(
    (type): Condition => ({ type, status: 'False', reason: 'Hollow', message: 'nothing is used here', ...times }),
  );
  return [...fine, { type: 'Ready', status: 'True', reason: 'Hollow', message: 'simulated node', ...times }];
}
