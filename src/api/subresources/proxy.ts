/** Whom a proxy request is for: `[https:]NAME[:PORT]` of a pod or a service, and the path behind `/proxy`. */
import type { Pod } from '../../kube/pod.js';
import { read } from '../answer.js';
import { badRequest, pathNotFound } from '../errors.js';
import type { Kind } from '../kind.js';
import type { ApiContext, ApiRequest, ResourceRoute } from '../request.js';
import { type ProxyTarget, proxyRequest, proxyUpgrade } from '../streaming/proxy.js';
import type { Upgrade } from '../streaming/upgrade.js';
import { serviceTarget } from './service-target.js';

/** Throws StatusError. */
export async function proxy(context: ApiContext, call: ApiRequest, route: ResourceRoute, kind: Kind): Promise<void> {
  const target = targetOf(context, route, kind);
  // links of a page are relative to the directory that it is in
  if (route.rest === undefined && call.verb === 'get') {
    const [path, query] = (call.request.url ?? '').split('?', 2);
    call.response.writeHead(301, { location: `${path}/${query ? `?${query}` : ''}`, 'content-length': 0 });
    call.response.end();
    return;
  }
  return proxyRequest(context, call.request, call.response, target, pathOf(call.request.url ?? '', route));
}

/** Throws StatusError. */
export function upgradeProxy(context: ApiContext, route: ResourceRoute, kind: Kind, upgrade: Upgrade): Promise<void> {
  if (!kind.subresources?.some(({ name }) => name === 'proxy')) throw pathNotFound();
  return proxyUpgrade(context, upgrade, targetOf(context, route, kind), pathOf(upgrade.request.url ?? '', route));
}

/** As the client wrote it: decoding and encoding again would change what the pod sees. */
function pathOf(url: string, { rest }: ResourceRoute): string {
  const query = url.indexOf('?');
  return (rest ?? '/') + (query < 0 ? '' : url.slice(query));
}

interface Name {
  readonly scheme: string;
  readonly name: string;
  readonly port: string;
}

/** `scheme:name:port`, `name:port` or `name`. Throws StatusError 400. */
export function parseProxyName(text: string): Name {
  const parts = text.split(':');
  const [first = '', second = '', third = ''] = parts;
  if (parts.length === 1) return { scheme: '', name: first, port: '' };
  if (parts.length === 2) return { scheme: '', name: first, port: second };
  if (parts.length === 3 && ['', 'http', 'https'].includes(first)) return { scheme: first, name: second, port: third };
  throw badRequest(`invalid proxy request ${JSON.stringify(text)}: NAME, NAME:PORT or SCHEME:NAME:PORT is expected`);
}

function targetOf(context: ApiContext, route: ResourceRoute, kind: Kind): ProxyTarget {
  const { scheme, name, port } = parseProxyName(route.name ?? '');
  const { object } = read(context, kind, { ...route, name });
  if (kind.kind === 'Service') return { ...serviceTarget(context, object, port), tls: scheme === 'https' };
  const pod = object as unknown as Pod;
  return { pod, port: portOf(pod, port), tls: scheme === 'https' };
}

/** A number, a port's name, or nothing: the first port that the pod declares. Throws StatusError 400. */
function portOf(pod: Pod, text: string): number {
  const declared = pod.spec.containers.flatMap(({ ports }) => ports ?? []);
  if (text === '') {
    const [first] = declared;
    if (first) return first.containerPort;
    throw badRequest(`no port: pod ${pod.metadata.name} declares none, and none was given (NAME:PORT)`);
  }
  const number = /^\d{1,5}$/.test(text) ? Number(text) : declared.find(port => port.name === text)?.containerPort;
  if (number !== undefined && number >= 1 && number <= 65535) return number;
  throw badRequest(`invalid port ${JSON.stringify(text)}: a number from 1 to 65535 or the name of one of its ports`);
}
