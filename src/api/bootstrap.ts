/** What every cluster has from the first moment: system namespaces, the CA, default roles. Run at each start; what exists is kept. */
import { deepEqual } from '../kube/json.js';
import { StatusError } from '../kube/status.js';
import { reconcileRoles } from './auth/reconcile-roles.js';
import { ApiClient } from './client.js';
import type { Engine } from './engine.js';
import type { AnyObject } from './kind.js';
import { systemPriorityClasses } from './scheduling/priority.js';
import { createApiService, createDnsService } from './service/publish.js';

const systemNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'] as const;

/** @param ca PEM: what clients of this cluster trust, for the pods of every namespace. */
export async function bootstrap(engine: Engine, ca?: string): Promise<void> {
  const client = new ApiClient(engine);
  for (const name of systemNamespaces) {
    await make(() => client.create('Namespace', { metadata: { name } }));
    await make(() => client.create('ServiceAccount', { metadata: { name: 'default', namespace: name } }));
  }
  for (const priorityClass of systemPriorityClasses) await make(() => client.create('PriorityClass', priorityClass));
  await createApiService(client, engine.servicePools);
  await createDnsService(client, engine.servicePools);
  if (ca !== undefined) await publish(engine, client, ca);
  await reconcileRoles(engine.view, {
    create: object => make(() => client.create(object.kind, object)),
    replace: object => client.update(object.kind, { name: object.metadata.name }, () => object as AnyObject),
  });
}

async function publish(engine: Engine, client: ApiClient, ca: string): Promise<void> {
  const metadata = { name: 'extension-apiserver-authentication', namespace: 'kube-system' };
  const data = { 'client-ca-file': ca };
  const found = engine.view.get('ConfigMap', metadata.namespace, metadata.name);
  if (!found) await make(() => client.create('ConfigMap', { metadata, data }));
  else if (!deepEqual(found.data, data)) await client.patch('ConfigMap', metadata, { data });
}

async function make(create: () => Promise<unknown>): Promise<void> {
  try {
    await create();
  } catch (error) {
    if (!(error instanceof StatusError && error.reason === 'AlreadyExists')) throw error;
  }
}
