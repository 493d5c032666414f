/** The API as a Service of its own cluster: default/kubernetes, with the server behind it. */
import { networkInterfaces } from 'node:os';
import type { Cidr } from '../../base/cidr.js';
import { clusterAddressesOf } from '../../base/service-cidr.js';
import { StatusError } from '../../kube/status.js';
import type { ApiClient } from '../client.js';
import type { AnyObject } from '../kind.js';
import { defaultPools, type Family, rangeFamily, type ServicePools } from './pools.js';

const at = { namespace: 'default', name: 'kubernetes' };
const labels = { component: 'apiserver', provider: 'kubernetes' };
/** The agent of each node answers at its address. */
const annotations = { 'keelson.dev/served-by': 'agent' };

/** What exists is left alone. @param pools the first range has its address */
export async function createApiService(client: ApiClient, pools: ServicePools = defaultPools): Promise<void> {
  await createOnce(client, 'Service', {
    metadata: { ...at, labels, annotations },
    spec: {
      clusterIP: addressesIn(pools).api,
      ports: [{ name: 'https', port: 443, targetPort: 6443, protocol: 'TCP' }],
    },
  });
}

/** The cluster's DNS, under the name that tools look for. Without the annotation it is whoever it selects that answers. */
export async function createDnsService(client: ApiClient, pools: ServicePools = defaultPools): Promise<void> {
  const own = { 'k8s-app': 'kube-dns', 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' };
  await createOnce(client, 'Service', {
    metadata: { namespace: 'kube-system', name: 'kube-dns', labels: own, annotations },
    spec: {
      clusterIP: addressesIn(pools).dns,
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP' },
        { name: 'dns-tcp', port: 53, protocol: 'TCP' },
      ],
    },
  });
}

const addressesIn = ({ ranges }: ServicePools) => clusterAddressesOf(ranges[0] as Cidr);

/** Says at each start where the server is now. @param port that it listens on. */
export async function publishApiServer(
  client: ApiClient,
  port: number,
  { ranges }: ServicePools = defaultPools,
): Promise<void> {
  const family = rangeFamily(ranges[0] as Cidr);
  const address = ownAddress(family);
  if (!address) return;
  const ports = [{ name: 'https', port, protocol: 'TCP' }];
  await write(client, 'Endpoints', {
    metadata: { ...at, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: [{ addresses: [{ ip: address }], ports }],
  });
  await write(client, 'EndpointSlice', {
    metadata: { ...at, labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: family,
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports,
  });
}

/** The first address of this machine that others can reach; undefined without a network of the family. */
function ownAddress(family: Family): string | undefined {
  return Object.values(networkInterfaces())
    .flatMap(list => list ?? [])
    .find(one => one.family === family && !one.internal && !/^fe[89ab]/i.test(one.address))?.address;
}

async function write(client: ApiClient, kind: string, object: { metadata: object; [field: string]: unknown }) {
  if (await createOnce(client, kind, object)) return;
  const { metadata: _, ...rest } = object;
  await client.update(kind, at, old => ({ ...old, ...rest }) as AnyObject);
}

/** False if it was there. */
async function createOnce(client: ApiClient, kind: string, object: object): Promise<boolean> {
  try {
    await client.create(kind, object);
    return true;
  } catch (error) {
    // another owner of the address is as good a reason to leave it
    if (error instanceof StatusError && (error.reason === 'AlreadyExists' || error.reason === 'Invalid')) return false;
    throw error;
  }
}
