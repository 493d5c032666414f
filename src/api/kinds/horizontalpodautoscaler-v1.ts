/** autoscaling/v1 HorizontalPodAutoscaler: another face of the stored autoscaling/v2. */
import { fromV1, toV1 } from '../autoscaling/v1.js';
import type { Kind } from '../kind.js';
import { horizontalPodAutoscaler } from './horizontalpodautoscaler.js';

const { columns, ...stored } = horizontalPodAutoscaler;

export const horizontalPodAutoscalerV1: Kind = {
  ...stored,
  version: 'v1',
  type: 'autoscaling.v1.HorizontalPodAutoscaler',
  conversion: {
    stored: { group: 'autoscaling', version: 'v2', kind: 'HorizontalPodAutoscaler' },
    fromStored: toV1,
    toStored: fromV1,
  },
  // cells are cut from the face, and want the form that has all metrics
  columns: columns.map(column => ({ ...column, cell: (object, now) => column.cell(fromV1(object), now) })),
};
