/** One action → one call of the API's client. */
import type { ApiClient } from '../api/client.js';
import { idOf } from '../api/kind.js';
import type { KindRegistry } from '../api/kind-registry.js';
import type { Action, Target } from './contract.js';

export interface WriteEdge {
  readonly client: ApiClient;
  readonly kinds: KindRegistry;
  readonly issue?: (what: 'certificate' | 'token', target: Target) => Promise<number>;
}

/** Resolves with the revision of the write. Throws StatusError. */
export async function write(action: Exclude<Action, { do: 'event' }>, edge: WriteEdge): Promise<number> {
  const { client, kinds, issue } = edge;
  switch (action.do) {
    case 'create':
      return (await client.create(kindNameOf(kinds, action.object), action.object)).revision;
    case 'patch': {
      const target = { ...action.target, resourceVersion: action.at };
      return (await client.patch(kindNameOf(kinds, action.target), target, action.patch, action.subresource)).revision;
    }
    case 'issue':
      return (await issue?.(action.what, action.target)) ?? 0;
    case 'delete': {
      const options = { gracePeriodSeconds: action.graceSeconds, propagation: action.propagation };
      return (await client.delete(kindNameOf(kinds, action.target), action.target, options)).revision;
    }
  }
}

function kindNameOf(
  kinds: KindRegistry,
  { apiVersion, kind }: { apiVersion?: string | undefined; kind: string },
): string {
  const found = apiVersion === undefined ? undefined : kinds.ofObject(apiVersion, kind);
  return found ? idOf(found) : kind;
}
