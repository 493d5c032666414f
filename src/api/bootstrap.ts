/** What every cluster has from the first moment: the system namespaces. Run at each start; what exists is left alone. */
import { StatusError } from '../kube/status.js';
import { ApiClient } from './client.js';
import type { Engine } from './engine.js';

const systemNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'] as const;

export async function bootstrap(engine: Engine): Promise<void> {
  const client = new ApiClient(engine);
  for (const name of systemNamespaces) {
    await make(() => client.create('Namespace', { metadata: { name } }));
    await make(() => client.create('ServiceAccount', { metadata: { name: 'default', namespace: name } }));
  }
}

async function make(create: () => Promise<unknown>): Promise<void> {
  try {
    await create();
  } catch (error) {
    if (!(error instanceof StatusError && error.reason === 'AlreadyExists')) throw error;
  }
}
