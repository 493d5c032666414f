/** Ingress objects → routes → nginx's configuration. */
import { expect, test } from 'vitest';
import { nginxConfig } from '../../src/ingress/nginx-config.js';
import { controllerName, isOurs, routing } from '../../src/ingress/routes.js';
import type { Service } from '../../src/kube/api/core-v1.js';
import type { Ingress, IngressClass } from '../../src/kube/api/networking-v1.js';

const ingress = (name: string, spec: object, metadata: object = {}): Ingress =>
  ({
    metadata: { name, namespace: 'default', uid: name, creationTimestamp: '2026-01-01T00:00:00Z', ...metadata },
    spec,
  }) as Ingress;
const classOf = (name: string, controller: string, isDefault = false): IngressClass =>
  ({
    metadata: { name, annotations: isDefault ? { 'ingressclass.kubernetes.io/is-default-class': 'true' } : {} },
    spec: { controller },
  }) as unknown as IngressClass;
const service = (spec: object): Service =>
  ({ metadata: { name: 'web', namespace: 'default' }, spec }) as unknown as Service;
const services: Record<string, Service> = {
  'default/web': service({ clusterIP: '10.96.1.1', ports: [{ name: 'http', port: 80 }] }),
  'default/bare': service({ clusterIP: 'None', ports: [{ port: 8080 }] }),
  'default/out': service({ type: 'ExternalName', externalName: 'example.org' }),
};
const routes = (...ingresses: Ingress[]) =>
  routing({
    ingresses,
    classes: [classOf('nginx', controllerName, true)],
    service: key => services[key],
    secret: () => undefined,
    clusterDomain: 'cluster.local',
  });
const rule = (host: string | undefined, ...paths: [string, string, string?, (number | string)?][]) => ({
  host,
  http: {
    paths: paths.map(([path, name, pathType = 'Prefix', port = 80]) => ({
      path,
      pathType,
      backend: { service: { name, port: typeof port === 'number' ? { number: port } : { name: port } } },
    })),
  },
});
const options = { directory: '/run/x', httpPort: 80, httpsPort: 443, resolver: '10.96.0.10', hasIpv6: true };

test('whose an Ingress is', () => {
  const classes = [classOf('ours', controllerName), classOf('theirs', 'example.org/other', true)];
  expect(isOurs(ingress('a', { ingressClassName: 'ours' }), classes)).toBe(true);
  expect(isOurs(ingress('a', { ingressClassName: 'theirs' }), classes)).toBe(false);
  expect(isOurs(ingress('a', {}, { annotations: { 'kubernetes.io/ingress.class': 'ours' } }), classes)).toBe(true);
  expect(isOurs(ingress('a', {}), classes)).toBe(false);
  expect(isOurs(ingress('a', {}), [classOf('ours', controllerName, true)])).toBe(true);
});

test('backends: an address, a name, or what is missing of it', () => {
  const { hosts, problems } = routes(
    ingress('a', {
      rules: [
        rule(
          'h',
          ['/', 'web', 'Prefix', 'http'],
          ['/bare', 'bare', 'Prefix', 8080],
          ['/out', 'out'],
          ['/no', 'web', 'Prefix', 81],
          ['/nothing', 'nothing'],
        ),
      ],
    }),
  );
  expect(hosts[0]?.routes.map(({ path, backend }) => [path, backend && `${backend.host}:${backend.port}`])).toEqual([
    ['/', '10.96.1.1:80'],
    ['/bare', 'web.default.svc.cluster.local:8080'],
    ['/no', undefined],
    ['/nothing', undefined],
    ['/out', 'example.org:80'],
  ]);
  expect(problems.map(p => p.message)).toEqual([
    'Service default/web has no port 81; it has 80 (http)',
    'Service default/nothing is not there',
  ]);
});

test('who was first keeps a path; a default backend takes what is left', () => {
  const late = { creationTimestamp: '2026-02-01T00:00:00Z' };
  const { hosts, problems } = routes(
    ingress(
      'late',
      {
        rules: [rule('h', ['/a', 'bare', 'Prefix', 8080])],
        defaultBackend: { service: { name: 'web', port: { number: 80 } } },
      },
      late,
    ),
    ingress('first', { rules: [rule('h', ['/a/', 'web'])] }),
  );
  expect(problems.map(p => [p.ingress.metadata.name, p.reason])).toEqual([['late', 'PathTaken']]);
  const [any, h] = hosts;
  expect([any?.name, any?.routes.map(r => r.path)]).toEqual([undefined, ['/']]);
  expect(h?.routes.map(r => [r.path, r.backend?.host])).toEqual([
    ['/', '10.96.1.1'],
    ['/a', '10.96.1.1'],
  ]);
});

test('an exact path beside the same prefix, and text that would end a block', () => {
  const text = nginxConfig(
    routes(
      ingress('a', {
        rules: [
          rule('*.h.example', ['/a', 'web'], ['/a', 'bare', 'Exact', 8080], ['/x"}\\', 'web'], ['/line\nbreak', 'web']),
        ],
      }),
    ),
    options,
  );
  expect(text.match(/location = "\/a" /g)?.length).toBe(1);
  expect(text).toContain('listen 80;\nlisten [::]:80;\nlisten 443 ssl http2;\nlisten [::]:443 ssl http2;');
  expect(text).toContain('location ^~ "/a/" { proxy_pass http://10.96.1.1:80; }');
  expect(text).toContain('server_name "~^[^.]+\\\\.h\\\\.example$";');
  expect(text).toContain('location = "/x\\"}\\\\" {');
  expect(text).not.toContain('line');
});
