/** networking.k8s.io/v1 IngressClass. */
import type { IngressClass } from '../../kube/api/networking-v1.js';
import { ageColumn, column, nameColumn } from '../columns.js';
import { immutable } from '../field-checks.js';
import type { AnyObject, Kind } from '../kind.js';
import { validateIngressClass } from '../network/validate-ingress.js';

const asClass = (object: AnyObject): IngressClass => object as unknown as IngressClass;

export const ingressClass: Kind = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IngressClass',
  plural: 'ingressclasses',
  singular: 'ingressclass',
  namespaced: false,
  type: 'networking.v1.IngressClass',
  description: 'IngressClass names the controller that serves an Ingress.',
  columns: [
    nameColumn,
    column('Controller', object => asClass(object).spec?.controller ?? ''),
    column('Parameters', object => parametersText(asClass(object))),
    ageColumn,
  ],
  defaults: object => {
    object.spec ??= {};
    const parameters = asClass(object).spec?.parameters;
    if (parameters) parameters.scope ??= 'Cluster';
  },
  validate: object => validateIngressClass(asClass(object)),
  validateUpdate: (next, old) =>
    immutable('spec.controller', asClass(next).spec?.controller, asClass(old).spec?.controller),
};

function parametersText({ spec }: IngressClass): string {
  const parameters = spec?.parameters;
  if (!parameters) return '<none>';
  const { apiGroup, kind, name } = parameters;
  return `${kind}${apiGroup === undefined ? '' : `.${apiGroup}`}/${name}`;
}
