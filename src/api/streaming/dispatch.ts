/** Which upgrade of a request is served by whom. */
import { pathNotFound } from '../errors.js';
import { handleExec } from '../exec.js';
import { type ApiContext, kindOf } from '../request.js';
import type { Route } from '../route.js';
import { upgradeProxy } from '../subresources/proxy.js';
import { handlePortForward } from './port-forward.js';
import type { Upgrade } from './upgrade.js';

/** The request is authorised already. Throws StatusError while the handshake can still be refused. */
export async function handleUpgrade(
  context: ApiContext,
  route: Route,
  query: URLSearchParams,
  upgrade: Upgrade,
): Promise<void> {
  if (route.to !== 'resource') throw pathNotFound();
  if (route.subresource === 'proxy') return upgradeProxy(context, route, kindOf(context, route), upgrade);
  if (route.plural !== 'pods') throw pathNotFound();
  switch (route.subresource) {
    case 'exec':
    case 'attach':
      return handleExec(context, route, query, upgrade);
    case 'portforward':
      return handlePortForward(context, route, query, upgrade);
    default:
      throw pathNotFound();
  }
}
