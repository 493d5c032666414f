/** All types, parsed once. A new kind adds its table here. */

import { admissionTypes } from './admission.js';
import { appsTypes } from './apps.js';
import { authenticationTypes } from './authentication.js';
import { authorizationTypes } from './authorization.js';
import { autoscalingTypes } from './autoscaling.js';
import { batchTypes } from './batch.js';
import { certificatesTypes } from './certificates.js';
import { commonTypes } from './common.js';
import { containerTypes } from './container.js';
import { customResourceTypes } from './custom-resource.js';
import { discoveryTypes } from './discovery.js';
import { metaTypes } from './meta.js';
import { metricsTypes } from './metrics.js';
import { networkingTypes } from './networking.js';
import { nodeTypes } from './node.js';
import { objectTypes } from './objects.js';
import { persistentVolumeTypes } from './persistent-volume.js';
import { podTypes } from './pod.js';
import { podStatusTypes } from './pod-status.js';
import { policyTypes } from './policy.js';
import { quotaTypes } from './quota.js';
import { rbacTypes } from './rbac.js';
import { schedulingTypes } from './scheduling.js';
import { serviceTypes } from './service.js';
import { storageTypes } from './storage.js';
import { type ObjectType, parseTypes } from './types.js';
import { volumeTypes } from './volume.js';
import { workloadTypes } from './workload.js';

/** By full name. */
export const types = parseTypes(
  metaTypes,
  commonTypes,
  volumeTypes,
  containerTypes,
  podStatusTypes,
  podTypes,
  nodeTypes,
  objectTypes,
  metricsTypes,
  customResourceTypes,
  admissionTypes,
  certificatesTypes,
  authorizationTypes,
  authenticationTypes,
  rbacTypes,
  storageTypes,
  schedulingTypes,
  policyTypes,
  networkingTypes,
  discoveryTypes,
  autoscalingTypes,
  batchTypes,
  appsTypes,
  workloadTypes,
  quotaTypes,
  persistentVolumeTypes,
  serviceTypes,
);

/** Types of custom resources, made from their schemas. */
let customTypes: ReadonlyMap<string, ObjectType> = new Map();

export function setCustomTypes(all: ReadonlyMap<string, ObjectType>): void {
  customTypes = all;
}

/** The type of that full name, such as `core.v1.Pod`. Throws for one that is not in the table: a mistake of ours. */
export function typeNamed(name: string): ObjectType {
  const found = types.get(name) ?? customTypes.get(name);
  if (!found) throw new Error(`schema: no type ${name}`);
  return found;
}
