/** autoscaling/v2 HorizontalPodAutoscaler, the stored form. */
import type { HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec } from '../../kube/api/autoscaling-v2.js';
import { targetsText } from '../autoscaling/columns.js';
import { defaultAutoscaler } from '../autoscaling/defaults.js';
import { validateAutoscaler } from '../autoscaling/validate.js';
import { ageColumn, column, nameColumn, numberColumn } from '../columns.js';
import type { AnyObject, Kind } from '../kind.js';
import { statusSubresource } from './served.js';

const asAutoscaler = (object: AnyObject): HorizontalPodAutoscaler => object as unknown as HorizontalPodAutoscaler;
const specOf = (object: AnyObject): HorizontalPodAutoscalerSpec =>
  asAutoscaler(object).spec ?? ({} as HorizontalPodAutoscalerSpec);

export const horizontalPodAutoscaler: Kind = {
  group: 'autoscaling',
  version: 'v2',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  singular: 'horizontalpodautoscaler',
  namespaced: true,
  shortNames: ['hpa'],
  categories: ['all'],
  type: 'autoscaling.v2.HorizontalPodAutoscaler',
  description: 'HorizontalPodAutoscaler changes the number of pods of a workload by what they use.',
  hasStatus: true,
  subresources: [statusSubresource],
  columns: [
    nameColumn,
    column('Reference', object => {
      const target = specOf(object).scaleTargetRef;
      return target ? `${target.kind}/${target.name}` : '';
    }),
    column('Targets', object => targetsText(asAutoscaler(object))),
    column('MinPods', object => String(specOf(object).minReplicas ?? '<unset>')),
    numberColumn('MaxPods', object => specOf(object).maxReplicas ?? 0),
    numberColumn('Replicas', object => asAutoscaler(object).status?.currentReplicas ?? 0),
    ageColumn,
  ],
  defaults: object => {
    object.spec ??= {};
    defaultAutoscaler(specOf(object));
  },
  prepareCreate: object => {
    object.status = { desiredReplicas: 0, currentMetrics: null };
  },
  validate: object => validateAutoscaler(specOf(object)),
};
