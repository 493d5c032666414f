/** Follows Ingresses and what they name, keeps nginx at it, and says in their status where they are served. */
import { randomBytes } from 'node:crypto';
import { describe } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import type { Service } from '../kube/api/core-v1.js';
import type { Ingress, IngressClass } from '../kube/api/networking-v1.js';
import { deepEqual } from '../kube/json.js';
import type { KubeObject } from '../kube/meta.js';
import type { Secret } from '../kube/node.js';
import { Api, type ApiAccess, Followed } from './api.js';
import { selfSigned } from './certificate.js';
import { certificateFile, defaultCertificate, type NginxOptions, nginxConfig } from './nginx-config.js';
import { NginxProcess } from './nginx-process.js';
import { controllerName, type Problem, type Routing, routing } from './routes.js';

export interface IngressOptions extends NginxOptions {
  readonly access: ApiAccess;
  /** nginx's program. */
  readonly program: string;
  readonly className: string;
  /** Where people reach us: goes into the status. */
  readonly addresses: readonly string[];
  readonly clusterDomain: string;
  readonly log: Logger;
}

/** Changes that come together are one. */
const gatherMs = 20;
const retryMs = 2000;
const group = '/apis/networking.k8s.io/v1';

export class IngressController {
  readonly #api: Api;
  readonly #nginx: NginxProcess;
  readonly #ingresses: Followed<Ingress>;
  readonly #classes: Followed<IngressClass>;
  readonly #services: Followed<Service>;
  readonly #secrets: Followed<KubeObject & Secret>;
  /** Of the name that nobody has given a certificate. */
  readonly #own = selfSigned();
  /** What was said already. */
  readonly #told = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();
  #ready: () => void = () => {};
  /** Resolves when nginx serves what there is. */
  readonly ready = new Promise<void>(resolve => {
    this.#ready = resolve;
  });

  constructor(readonly options: IngressOptions) {
    const { access, program, directory, log } = options;
    this.#api = new Api(access);
    this.#nginx = new NginxProcess(program, directory, log);
    const follow = <T extends KubeObject>(path: string) => new Followed<T>(this.#api, path, () => this.#soon(), log);
    this.#classes = follow(`${group}/ingressclasses`);
    this.#ingresses = follow(`${group}/ingresses`);
    this.#services = follow('/api/v1/services');
    this.#secrets = follow('/api/v1/secrets?fieldSelector=type%3Dkubernetes.io%2Ftls');
  }

  /** Makes our class, the default one, unless there is one of that name. */
  async makeClass(): Promise<void> {
    const metadata = {
      name: this.options.className,
      annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' },
    };
    const body = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IngressClass',
      metadata,
      spec: { controller: controllerName },
    };
    const { code, body: answer } = await this.#api.send('POST', `${group}/ingressclasses`, body);
    if (code !== 201 && code !== 409) throw new Error(`the IngressClass cannot be made: ${String(answer['message'])}`);
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    for (const followed of this.#followed()) followed.close();
    await this.#turn;
    await this.#nginx.close();
  }

  #followed(): Followed<KubeObject>[] {
    return [this.#ingresses, this.#classes, this.#services, this.#secrets];
  }

  #soon(ms = gatherMs): void {
    if (!this.#followed().every(({ synced }) => synced)) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#turn = this.#turn.then(() => this.#apply());
    }, ms);
  }

  async #apply(): Promise<void> {
    try {
      const wanted = this.#wanted();
      await this.#nginx.use({
        config: nginxConfig(wanted, this.options),
        certificates: this.#certificates(wanted, await this.#own),
      });
      this.#ready();
      await this.#report(wanted);
    } catch (error) {
      this.options.log.error({ error: describe(error) }, 'Ingresses could not be brought up to date: tried again');
      this.#soon(retryMs);
    }
  }

  #wanted(): Routing {
    return routing({
      ingresses: this.#ingresses.all(),
      classes: this.#classes.all(),
      service: key => this.#services.get(key),
      secret: key => this.#secrets.get(key),
      clusterDomain: this.options.clusterDomain,
    });
  }

  #certificates({ certificates }: Routing, own: { certificate: string; key: string }): Map<string, string> {
    const files = new Map<string, string>();
    for (const [name, { certificate, key }] of [[defaultCertificate, own] as const, ...certificates]) {
      const file = certificateFile(this.options.directory, name);
      files.set(`${file}.crt`, certificate).set(`${file}.key`, key);
    }
    return files;
  }

  async #report({ ingresses, problems }: Routing): Promise<void> {
    const served = this.options.addresses.map(ip => ({ ip }));
    for (const { metadata, status } of ingresses) {
      if (deepEqual(status?.loadBalancer?.ingress ?? [], served)) continue;
      const path = `${group}/namespaces/${metadata.namespace}/ingresses/${metadata.name}/status`;
      const body = { status: { loadBalancer: { ingress: served } } };
      await this.#api.send('PATCH', path, body, 'application/merge-patch+json');
    }
    for (const problem of problems) await this.#tell(problem);
  }

  async #tell({ ingress, reason, message }: Problem): Promise<void> {
    const { namespace = 'default', name, uid, resourceVersion } = ingress.metadata;
    const key = `${uid}/${resourceVersion}/${reason}/${message}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name}.${randomBytes(8).toString('hex')}`, namespace },
      involvedObject: { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', namespace, name, uid },
      reason,
      message,
      type: 'Warning',
      source: { component: 'ingress-nginx' },
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    };
    const { code, body } = await this.#api.send('POST', `/api/v1/namespaces/${namespace}/events`, event);
    if (code !== 201)
      this.options.log.warn({ ingress: `${namespace}/${name}`, message, answer: body['message'] }, reason);
  }
}
