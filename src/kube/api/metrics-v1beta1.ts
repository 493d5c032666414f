/** metrics/v1beta1, from the table of API facts (src/api/schema). Do not edit: see test/helpers/typescript-types.ts. */
import type { KubeObject } from '../meta.js';

export interface NodeMetrics extends KubeObject {
  timestamp: string;
  window: string;
  usage?: Record<string, string>;
}

export interface PodMetrics extends KubeObject {
  timestamp: string;
  window: string;
  containers?: ContainerMetrics[];
}

export interface ContainerMetrics {
  name: string;
  usage?: Record<string, string>;
}
