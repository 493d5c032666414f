/** The API as a Service of its own cluster: default/kubernetes, with the server behind it. */
import { networkInterfaces } from 'node:os';
import { StatusError } from '../../kube/status.js';
import type { ApiClient } from '../client.js';
import type { AnyObject } from '../kind.js';
import { apiServiceAddress, dnsServiceAddress } from './pools.js';

const at = { namespace: 'default', name: 'kubernetes' };
const labels = { component: 'apiserver', provider: 'kubernetes' };
/** The agent of each node answers at its address. */
const annotations = { 'keelson.dev/served-by': 'agent' };

/** What exists is left alone. */
export async function createApiService(client: ApiClient): Promise<void> {
  await createOnce(client, 'Service', {
    metadata: { ...at, labels, annotations },
    spec: {
      clusterIP: apiServiceAddress,
      ports: [{ name: 'https', port: 443, targetPort: 6443, protocol: 'TCP' }],
    },
  });
}

/** The cluster's DNS, under the name that tools look for. Without the annotation it is whoever it selects that answers. */
export async function createDnsService(client: ApiClient): Promise<void> {
  const own = { 'k8s-app': 'kube-dns', 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' };
  await createOnce(client, 'Service', {
    metadata: { namespace: 'kube-system', name: 'kube-dns', labels: own, annotations },
    spec: {
      clusterIP: dnsServiceAddress,
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP' },
        { name: 'dns-tcp', port: 53, protocol: 'TCP' },
      ],
    },
  });
}

/** Says at each start where the server is now. @param port that it listens on. */
export async function publishApiServer(client: ApiClient, port: number): Promise<void> {
  const address = ownAddress();
  if (!address) return;
  const ports = [{ name: 'https', port, protocol: 'TCP' }];
  await write(client, 'Endpoints', {
    metadata: { ...at, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: [{ addresses: [{ ip: address }], ports }],
  });
  await write(client, 'EndpointSlice', {
    metadata: { ...at, labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports,
  });
}

/** The first IPv4 address of this machine that others can reach; undefined without a network. */
function ownAddress(): string | undefined {
  return Object.values(networkInterfaces())
    .flatMap(list => list ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
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
