/** networking.k8s.io/v1 Ingress. */
import type { Ingress } from '../../kube/api/networking-v1.js';
import { ageColumn, column, firstOf, nameColumn } from '../columns.js';
import type { AnyObject, Kind } from '../kind.js';
import { validateIngress } from '../network/validate-ingress.js';
import { statusSubresource } from './served.js';

const asIngress = (object: AnyObject): Ingress => object as unknown as Ingress;
const shown = 3;

export const ingress: Kind = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'Ingress',
  plural: 'ingresses',
  singular: 'ingress',
  namespaced: true,
  shortNames: ['ing'],
  type: 'networking.v1.Ingress',
  description: 'Ingress sends HTTP requests from outside to Services, by host and path.',
  hasStatus: true,
  subresources: [statusSubresource],
  columns: [
    nameColumn,
    column('Class', object => asIngress(object).spec?.ingressClassName ?? '<none>'),
    column('Hosts', object => hostsText(asIngress(object))),
    column('Address', object =>
      (asIngress(object).status?.loadBalancer?.ingress ?? [])
        .map(({ ip, hostname }) => ip || hostname || '')
        .filter(Boolean)
        .join(','),
    ),
    column('Ports', object => (asIngress(object).spec?.tls?.length ? '80, 443' : '80')),
    ageColumn,
  ],
  defaults: object => {
    object.spec ??= {};
  },
  prepareCreate: object => {
    object.status = { loadBalancer: {} };
  },
  validate: object => validateIngress(asIngress(object)),
};

function hostsText({ spec }: Ingress): string {
  const hosts = (spec?.rules ?? []).map(({ host }) => host ?? '').filter(Boolean);
  return firstOf(hosts, shown) || '*';
}
