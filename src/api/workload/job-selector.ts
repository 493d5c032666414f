/**
 * A Job's pods are told apart by labels that carry its UID, so that two Jobs of one template never count each other's
 * pods. With `manualSelector: true` the author takes that on.
 */
import type { Job } from '../../kube/api/batch-v1.js';

export const controllerUidLabel = 'batch.kubernetes.io/controller-uid';
export const jobNameLabel = 'batch.kubernetes.io/job-name';
/** Without prefix, as they were before 1.27; still written. */
export const legacyControllerUidLabel = 'controller-uid';
export const legacyJobNameLabel = 'job-name';

/** In place; the job has its name and UID. */
export function generateJobSelector({ metadata, spec }: Job): void {
  if (!spec || spec.manualSelector) return;
  const { name, uid = '' } = metadata;
  spec.template.metadata = {
    ...spec.template.metadata,
    labels: {
      ...spec.template.metadata?.labels,
      [controllerUidLabel]: uid,
      [jobNameLabel]: name,
      [legacyControllerUidLabel]: uid,
      [legacyJobNameLabel]: name,
    },
  };
  spec.selector = { ...spec.selector, matchLabels: { [controllerUidLabel]: uid, ...spec.selector?.matchLabels } };
}
