/** core/v1 Endpoints: addresses behind a Service in the old form; EndpointSlice is its successor. */
import type { Endpoints } from '../../kube/api/core-v1.js';
import { ageColumn, column, firstOf, nameColumn } from '../columns.js';
import type { AnyObject, Kind } from '../kind.js';
import { validateEndpoints } from '../service/validate-endpoints.js';

const asEndpoints = (object: AnyObject): Endpoints => object as unknown as Endpoints;

export const endpoints: Kind = {
  group: '',
  version: 'v1',
  kind: 'Endpoints',
  plural: 'endpoints',
  singular: 'endpoints',
  namespaced: true,
  shortNames: ['ep'],
  type: 'core.v1.Endpoints',
  description: 'Endpoints lists the addresses and ports behind a Service; EndpointSlice is its successor.',
  columns: [nameColumn, column('Endpoints', object => addressesText(asEndpoints(object))), ageColumn],
  defaults: object => {
    for (const subset of asEndpoints(object).subsets ?? [])
      for (const port of subset.ports ?? []) port.protocol ||= 'TCP';
  },
  validate: object => validateEndpoints(asEndpoints(object)),
};

const shown = 3;

function addressesText({ subsets = [] }: Endpoints): string {
  if (subsets.length === 0) return '<none>';
  const list = subsets.flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map(({ ip }) => ip)
      : ports.flatMap(({ port }) =>
          addresses.map(({ ip }) => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)),
        ),
  );
  return firstOf(list, shown);
}
