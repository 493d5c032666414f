/** networking.k8s.io/v1 NetworkPolicy. */
import type { NetworkPolicy } from '../../kube/api/networking-v1.js';
import { selectorText } from '../../kube/label-selector.js';
import { ageColumn, column, nameColumn } from '../columns.js';
import type { AnyObject, Kind } from '../kind.js';
import { validateNetworkPolicy } from '../network/validate-policy.js';

const asPolicy = (object: AnyObject): NetworkPolicy => object as unknown as NetworkPolicy;

export const networkPolicy: Kind = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  singular: 'networkpolicy',
  namespaced: true,
  shortNames: ['netpol'],
  type: 'networking.v1.NetworkPolicy',
  description: 'NetworkPolicy says who may talk to the pods it selects, and whom they may talk to.',
  columns: [
    nameColumn,
    column('Pod-Selector', object => selectorText(asPolicy(object).spec?.podSelector) || '<none>'),
    ageColumn,
  ],
  defaults: object => {
    object.spec ??= {};
    const { spec = {} } = asPolicy(object);
    spec.podSelector ??= {};
    for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])])
      for (const port of rule.ports ?? []) port.protocol ??= 'TCP';
    if (!spec.policyTypes?.length) spec.policyTypes = ['Ingress', ...(spec.egress?.length ? ['Egress'] : [])];
  },
  validate: object => validateNetworkPolicy(asPolicy(object)),
};
