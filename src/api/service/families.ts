/** IP families of Services. This cluster has one, IPv4; asking for what needs two is refused, as on such clusters. */
import type { ServiceSpec } from '../../kube/api/core-v1.js';
import { type FieldError, invalid } from '../errors.js';
import { headless } from './needs.js';

/** In place. */
export function assignFamilies(spec: ServiceSpec): FieldError[] {
  const selectorless = spec.clusterIP === headless && Object.keys(spec.selector ?? {}).length === 0;
  // nothing is given out for it, so it may have addresses of any family
  if (selectorless) {
    spec.ipFamilyPolicy ??= 'RequireDualStack';
    if (!spec.ipFamilies?.length) spec.ipFamilies = spec.ipFamilyPolicy === 'SingleStack' ? ['IPv4'] : ['IPv4', 'IPv6'];
    return [];
  }
  const errors = [
    ...(spec.ipFamilyPolicy === 'RequireDualStack'
      ? [invalid('spec.ipFamilyPolicy', spec.ipFamilyPolicy, 'this cluster is not configured for dual-stack services')]
      : []),
    ...(spec.ipFamilies ?? []).flatMap((family, i) =>
      family === 'IPv6' ? [invalid(`spec.ipFamilies[${i}]`, family, 'not configured on this cluster')] : [],
    ),
  ];
  spec.ipFamilyPolicy ??= 'SingleStack';
  if (!spec.ipFamilies?.length) spec.ipFamilies = ['IPv4'];
  return errors;
}
