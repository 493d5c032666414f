/** Subresources beside status: which one it is and who serves it. Each is a file of its own below subresources/. */
import { read } from './answer.js';
import { badRequest, methodNotAllowed, pathNotFound } from './errors.js';
import type { Kind } from './kind.js';
import { serveLog } from './log.js';
import type { ApiContext, ApiRequest, ResourceRoute } from './request.js';
import { approval } from './subresources/approval.js';
import { binding } from './subresources/binding.js';
import { ephemeralContainers } from './subresources/ephemeral-containers.js';
import { eviction } from './subresources/eviction.js';
import { finalize } from './subresources/finalize.js';
import { servePart } from './subresources/part.js';
import { proxy } from './subresources/proxy.js';
import { resize } from './subresources/resize.js';
import { scale } from './subresources/scale.js';
import { tokenRequest } from './subresources/token.js';

/** Throws StatusError. */
export async function handleSubresource(
  context: ApiContext,
  call: ApiRequest,
  route: ResourceRoute,
  kind: Kind,
): Promise<void> {
  const subresource = kind.subresources?.find(({ name }) => name === route.subresource);
  if (!subresource || route.name === undefined) throw pathNotFound();
  if (!subresource.verbs.includes(call.verb)) throw methodNotAllowed();
  switch (subresource.name) {
    case 'approval':
      return approval(context, call, route, kind);
    case 'binding':
      return binding(context, call, route, kind);
    case 'ephemeralcontainers':
      return servePart(context, call, route, kind, ephemeralContainers);
    case 'eviction':
      return eviction(context, call, route, kind);
    case 'finalize':
      return finalize(context, call, route, kind);
    case 'scale':
      return scale(context, call, route, kind);
    case 'log':
      return serveLog(context, call, read(context, kind, route).object);
    case 'token':
      return tokenRequest(context, call, route);
    case 'proxy':
      return proxy(context, call, route, kind);
    case 'resize':
      return servePart(context, call, route, kind, resize);
    case 'exec':
    case 'attach':
    case 'portforward':
      throw badRequest('Upgrade request required');
    default:
      throw pathNotFound();
  }
}
