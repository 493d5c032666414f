/** coordination/v1, from the table of API facts (src/api/schema). Do not edit: see test/helpers/typescript-types.ts. */
import type { KubeObject } from '../meta.js';

export interface Lease extends KubeObject {
  spec?: LeaseSpec;
}

export interface LeaseSpec {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
  strategy?: string;
  preferredHolder?: string;
}
