/** The filters in kube-scheduler's order: the first that refuses a node gives the reason. */
import type { Filter } from './contract.js';
import { nodeResourcesFit } from './fit.js';
import { nodeAffinity, nodeName } from './node-affinity.js';
import { interPodAffinity } from './pod-affinity.js';
import { nodePorts } from './ports.js';
import { podTopologySpread } from './spread.js';
import { nodeUnschedulable, taintToleration } from './taints.js';
import { volumeBinding, volumeRestrictions, volumeZone } from './volumes.js';

export const filters: readonly Filter[] = [
  nodeUnschedulable,
  nodeName,
  taintToleration,
  nodeAffinity,
  nodePorts,
  nodeResourcesFit,
  volumeRestrictions,
  volumeBinding,
  volumeZone,
  podTopologySpread,
  interPodAffinity,
];
