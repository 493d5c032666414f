/**
 * Ingress objects → what is served, neutral of the program that serves it: hosts, paths, backends, certificates. Pure.
 * Endpoints do not occur: a backend is its Service's cluster address, behind which the node's own rules choose, so pods
 * come and go without any word to the proxy.
 */
import type { Service } from '../kube/api/core-v1.js';
import type { Ingress, IngressBackend, IngressClass } from '../kube/api/networking-v1.js';
import type { Secret } from '../kube/node.js';

export const controllerName = 'keelson.dev/ingress-nginx';
const defaultClassAnnotation = 'ingressclass.kubernetes.io/is-default-class';
const legacyClassAnnotation = 'kubernetes.io/ingress.class';
const redirectAnnotation = 'nginx.ingress.kubernetes.io/ssl-redirect';

export interface Backend {
  /** Address, or a name that is looked up with every connection. */
  readonly host: string;
  readonly isName: boolean;
  readonly port: number;
}

export interface Route {
  readonly path: string;
  readonly exact: boolean;
  /** Undefined: there is no such Service or port. */
  readonly backend: Backend | undefined;
}

export interface Host {
  /** Undefined: every name that no other host has. */
  readonly name: string | undefined;
  readonly routes: readonly Route[];
  /** `namespace/name` of the Secret. */
  readonly certificate: string | undefined;
  /** HTTP is answered with a redirect to HTTPS. */
  readonly redirects: boolean;
}

export interface Problem {
  readonly ingress: Ingress;
  readonly reason: string;
  readonly message: string;
}

export interface Routing {
  readonly hosts: readonly Host[];
  /** PEM by `namespace/name`. */
  readonly certificates: ReadonlyMap<string, { readonly certificate: string; readonly key: string }>;
  readonly problems: readonly Problem[];
  /** Those that are ours: their status says where they are served. */
  readonly ingresses: readonly Ingress[];
}

export interface World {
  readonly ingresses: readonly Ingress[];
  readonly classes: readonly IngressClass[];
  /** By `namespace/name`. */
  readonly service: (key: string) => Service | undefined;
  readonly secret: (key: string) => Secret | undefined;
  readonly clusterDomain: string;
}

export function routing(world: World): Routing {
  const ours = world.ingresses.filter(ingress => isOurs(ingress, world.classes)).sort(older);
  const builder = new Builder(world);
  for (const ingress of ours) builder.add(ingress);
  return { ...builder.result(), ingresses: ours };
}

/** By its class, by the old annotation, or because it names none and ours is the default. */
export function isOurs({ spec, metadata }: Ingress, classes: readonly IngressClass[]): boolean {
  const ours = classes.filter(({ spec: s }) => s?.controller === controllerName);
  const name = spec?.ingressClassName ?? metadata.annotations?.[legacyClassAnnotation];
  if (name !== undefined) return ours.some(({ metadata: m }) => m.name === name);
  return ours.some(({ metadata: m }) => m.annotations?.[defaultClassAnnotation] === 'true');
}

/** Who was first keeps a path that a second one wants, too. */
function older(a: Ingress, b: Ingress): number {
  const [x, y] = [a, b].map(({ metadata: m }) => `${m.creationTimestamp ?? ''} ${m.namespace}/${m.name}`);
  return x! < y! ? -1 : 1;
}

interface Building {
  readonly routes: Map<string, Route & { readonly of: string }>;
  certificate: string | undefined;
  redirects: boolean;
}

class Builder {
  readonly #hosts = new Map<string, Building>();
  readonly #certificates = new Map<string, { certificate: string; key: string }>();
  readonly #problems: Problem[] = [];
  /** Where everything goes that no rule is about. */
  #fallback: Route | undefined;

  constructor(readonly world: World) {}

  add(ingress: Ingress): void {
    const { rules = [], tls = [], defaultBackend } = ingress.spec ?? {};
    const say = (reason: string, message: string) => void this.#problems.push({ ingress, reason, message });
    for (const { host = '', http } of rules)
      for (const { path = '/', pathType, backend } of http?.paths ?? [])
        this.#route(ingress, host, {
          path,
          exact: pathType === 'Exact',
          backend: this.#backend(ingress, backend, say),
        });
    if (defaultBackend) {
      const backend = this.#backend(ingress, defaultBackend, say);
      this.#fallback ??= { path: '/', exact: false, backend };
      // a path that none of its own rules is about goes there, too
      for (const { host } of rules) if (host) this.#route(ingress, host, { path: '/', exact: false, backend }, true);
    }
    for (const { hosts = [], secretName } of tls)
      for (const host of hosts.length > 0 ? hosts : ['']) this.#secure(ingress, host, secretName, say);
  }

  #host(name: string): Building {
    const known = this.#hosts.get(name);
    if (known) return known;
    const made: Building = { routes: new Map(), certificate: undefined, redirects: false };
    this.#hosts.set(name, made);
    return made;
  }

  #route(ingress: Ingress, host: string, route: Route, quietly = false): void {
    const path = route.exact ? route.path : normalised(route.path);
    const key = `${route.exact ? '=' : '^'}${path}`;
    const { routes } = this.#host(host);
    const of = `${ingress.metadata.namespace}/${ingress.metadata.name}`;
    const taken = routes.get(key);
    if (!taken) routes.set(key, { ...route, path, of });
    else if (taken.of !== of && !quietly)
      this.#problems.push({
        ingress,
        reason: 'PathTaken',
        message: `host "${host || '*'}" and path "${route.path}" are served for Ingress ${taken.of}, which is older`,
      });
  }

  #backend({ metadata }: Ingress, { service: wanted }: IngressBackend, say: Say): Backend | undefined {
    if (!wanted) return void say('Unsupported', 'a backend must be a Service');
    const key = `${metadata.namespace}/${wanted.name}`;
    const service = this.world.service(key);
    if (!service) return void say('NoService', `Service ${key} is not there`);
    const ports = service.spec?.ports ?? [];
    const { name, number } = wanted.port ?? {};
    const port = ports.find(p => (name === undefined ? p.port === number : p.name === name));
    if (!port && service.spec?.type !== 'ExternalName')
      return void say('NoPort', `Service ${key} has no port ${name ?? number}; it has ${portsText(ports)}`);
    return backendOf(service, port?.port ?? number ?? 80, this.world.clusterDomain);
  }

  #secure(ingress: Ingress, host: string, secretName: string | undefined, say: Say): void {
    const building = this.#host(host);
    building.redirects ||= ingress.metadata.annotations?.[redirectAnnotation] !== 'false';
    if (!secretName || building.certificate !== undefined) return;
    const key = `${ingress.metadata.namespace}/${secretName}`;
    const data = this.world.secret(key)?.data;
    const [certificate, privateKey] = [data?.['tls.crt'], data?.['tls.key']].map(text => decode(text));
    if (!certificate || !privateKey)
      return say(
        'NoCertificate',
        `Secret ${key} is not there, or lacks tls.crt or tls.key: another certificate is shown`,
      );
    building.certificate = key;
    this.#certificates.set(key, { certificate, key: privateKey });
  }

  result(): Omit<Routing, 'ingresses'> {
    if (this.#fallback)
      this.#host('').routes.set('^/', this.#host('').routes.get('^/') ?? { ...this.#fallback, of: '' });
    const hosts = [...this.#hosts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, building]): Host => {
        const routes = [...building.routes.values()].map(({ path, exact, backend }) => ({ path, exact, backend }));
        return {
          name: name === '' ? undefined : name,
          routes: routes.sort((a, b) =>
            a.path < b.path ? -1 : a.path > b.path ? 1 : Number(b.exact) - Number(a.exact),
          ),
          certificate: building.certificate,
          redirects: building.redirects,
        };
      });
    return { hosts, certificates: this.#certificates, problems: this.#problems };
  }
}

type Say = (reason: string, message: string) => void;

const decode = (base64: string | undefined): string | undefined =>
  base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString();

/** `/a/` and `/a` are the same prefix. */
const normalised = (path: string): string => (path === '/' ? path : path.replace(/\/+$/, '') || '/');

function portsText(ports: readonly { name?: string; port: number }[]): string {
  return ports.map(({ name, port }) => (name ? `${port} (${name})` : String(port))).join(', ') || 'none';
}

function backendOf({ metadata, spec }: Service, port: number, domain: string): Backend {
  if (spec?.type === 'ExternalName') return { host: spec.externalName ?? '', isName: true, port };
  const address = spec?.clusterIP;
  if (address && address !== 'None')
    return { host: address.includes(':') ? `[${address}]` : address, isName: false, port };
  return { host: `${metadata.name}.${metadata.namespace}.svc.${domain}`, isName: true, port };
}
