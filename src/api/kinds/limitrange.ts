/** core/v1 LimitRange. */
import type { LimitRange, LimitRangeItem } from '../../kube/api/core-v1.js';
import { createdColumn, nameColumn } from '../columns.js';
import type { AnyObject, Kind } from '../kind.js';
import { validateLimitRange } from '../quota/validate.js';

const asRange = (object: AnyObject): LimitRange => object as unknown as LimitRange;

export const limitRange: Kind = {
  group: '',
  version: 'v1',
  kind: 'LimitRange',
  plural: 'limitranges',
  singular: 'limitrange',
  namespaced: true,
  shortNames: ['limits'],
  type: 'core.v1.LimitRange',
  description: 'LimitRange gives pods and claims of a namespace their defaults and bounds.',
  columns: [nameColumn, createdColumn],
  defaults: object => {
    object.spec ??= {};
    for (const item of asRange(object).spec?.limits ?? []) if (item.type === 'Container') defaultItem(item);
  },
  validate: object => validateLimitRange(asRange(object)),
};

/** Limits come from the maximum, requests from the limits or else the minimum. In place. */
function defaultItem(item: LimitRangeItem): void {
  const limits = { ...item.max, ...item.default };
  const requests = { ...item.min, ...limits, ...item.defaultRequest };
  if (Object.keys(limits).length > 0) item.default = limits;
  if (Object.keys(requests).length > 0) item.defaultRequest = requests;
}
