/** discovery.k8s.io/v1 EndpointSlice. */
import type { EndpointSlice } from '../../kube/api/discovery-v1.js';
import { ageColumn, column, firstOf, nameColumn } from '../columns.js';
import { immutable } from '../field-checks.js';
import type { AnyObject, Kind } from '../kind.js';
import { validateSlice } from '../service/validate-endpoints.js';

const asSlice = (object: AnyObject): EndpointSlice => object as unknown as EndpointSlice;
const shown = 3;

export const endpointSlice: Kind = {
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  singular: 'endpointslice',
  namespaced: true,
  type: 'discovery.v1.EndpointSlice',
  description: 'EndpointSlice lists some of the addresses and ports behind a Service.',
  columns: [
    nameColumn,
    column('AddressType', object => asSlice(object).addressType ?? ''),
    column('Ports', object => firstOf(portTexts(asSlice(object)), shown) || '<unset>'),
    column('Endpoints', object => firstOf(addressTexts(asSlice(object)), shown) || '<unset>'),
    ageColumn,
  ],
  defaults: object => {
    for (const port of asSlice(object).ports ?? []) {
      port.name ??= '';
      port.protocol ??= 'TCP';
    }
  },
  validate: object => validateSlice(asSlice(object)),
  validateUpdate: (next, old) => immutable('addressType', asSlice(next).addressType, asSlice(old).addressType),
};

const portTexts = ({ ports = [] }: EndpointSlice): string[] =>
  ports.map(({ port, name }) => (port !== undefined ? String(port) : (name ?? '*')));

const addressTexts = ({ endpoints = [] }: EndpointSlice): string[] =>
  endpoints.flatMap(({ addresses = [] }) => addresses);
