import { describe, expect, test } from 'vitest';
import { capabilityMask, resolveCapabilities } from '../../agent/containers/capabilities.js';
import { ContainerConfigError } from '../../agent/containers/contract.js';
import { type EnvFacts, resolveEnv } from '../../agent/containers/env.js';
import { expand } from '../../agent/containers/expand.js';
import { containerSpec, localhostProfile, oomScoreAdj } from '../../agent/containers/spec.js';
import type { Image } from '../../agent/images/contract.js';
import type { Container, Pod } from '../../src/kube/pod.js';

const image: Image = {
  id: 'sha256:0',
  references: [],
  layers: ['/l'],
  sizeBytes: 0,
  config: {
    env: ['PATH=/bin', 'A=image'],
    entrypoint: ['/entry'],
    cmd: ['default'],
    workingDir: '/srv',
    volumes: [],
    exposedPorts: [],
    labels: {},
  },
};

const podOf = (container: Container, spec: Partial<Pod['spec']> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web-0', namespace: 'default', uid: 'u', labels: { app: 'web' } },
  spec: { containers: [container], ...spec },
});

const whose = '(pod: "web-0_default(u)", container: app)';

function specOf(
  changes: Partial<Container> = {},
  pod: Partial<Pod['spec']> = {},
  config: Partial<Image['config']> = {},
  env = new Map<string, string>(),
) {
  const container: Container = { name: 'app', ...changes };
  return containerSpec({
    pod: podOf(container, pod),
    container,
    image: { ...image, config: { ...image.config, ...config } },
    env,
    mounts: [],
    oomScoreAdj: 1000,
  });
}

test.each([
  ['neither', {}, ['/entry', 'default']],
  ['args replace Cmd', { args: ['x'] }, ['/entry', 'x']],
  ['command drops Cmd', { command: ['/c'] }, ['/c']],
  ['both', { command: ['/c'], args: ['x'] }, ['/c', 'x']],
  ['expanded', { command: ['/c', '$(WHO)', '$$(WHO)', '$(NOBODY)'] }, ['/c', 'me', '$(WHO)', '$(NOBODY)']],
])('command and args: %s', (_name, changes, argv) => {
  expect(specOf(changes, {}, {}, new Map([['WHO', 'me']])).argv).toEqual(argv);
});

test('the environment: the pod over the image, PATH and TERM where they lack', () => {
  expect(specOf({}, {}, {}, new Map([['A', 'pod']])).env).toEqual(['PATH=/bin', 'A=pod']);
  expect(specOf({ tty: true }, {}, { env: [] }).env).toEqual([
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'TERM=xterm',
  ]);
});

describe('who and how much', () => {
  test('container over pod over image', () => {
    expect(specOf({}, {}, { user: 'www:www' })).toMatchObject({ user: 'www:www' });
    expect(
      specOf(
        {},
        { securityContext: { runAsUser: 5, runAsGroup: 6, fsGroup: 7, supplementalGroups: [8, 7] } },
        { user: 'www' },
      ),
    ).toMatchObject({ user: '5', runAsGroup: 6, supplementalGroups: [7, 8] });
    expect(specOf({ securityContext: { runAsUser: 0 } }, { securityContext: { runAsUser: 5 } })).toMatchObject({
      user: '0',
    });
  });

  test.each([
    [{ runAsNonRoot: true, runAsUser: 0 }, undefined, `container's runAsUser breaks non-root policy ${whose}`],
    [{ runAsNonRoot: true }, undefined, `container has runAsNonRoot and image will run as root ${whose}`],
    [{ runAsNonRoot: true }, '00:5', `container has runAsNonRoot and image will run as root ${whose}`],
    [
      { runAsNonRoot: true },
      'nginx',
      `container has runAsNonRoot and image has non-numeric user (nginx), cannot verify user is non-root ${whose}`,
    ],
  ])('runAsNonRoot %#', (securityContext, user, message) => {
    expect(() => specOf({ securityContext }, {}, user === undefined ? {} : { user })).toThrow(
      new ContainerConfigError(message),
    );
  });

  test('no_new_privs only for an explicit false; privileged has everything; seccomp is on unless said', () => {
    expect(specOf()).toMatchObject({ noNewPrivileges: false, seccomp: 'default', maskProc: true, privileged: false });
    expect(specOf({ securityContext: { allowPrivilegeEscalation: false } }).noNewPrivileges).toBe(true);
    expect(specOf({ securityContext: { seccompProfile: { type: 'Unconfined' } } }).seccomp).toBe('unconfined');
    const privileged = specOf({ securityContext: { privileged: true } });
    expect(privileged).toMatchObject({ seccomp: 'unconfined', maskProc: false });
    expect(privileged.capabilities).toContain('SYS_ADMIN');
    const securityContext = { seccompProfile: { type: 'Localhost', localhostProfile: 'a/b.json' } } as const;
    const plain: Container = { name: 'app' };
    expect(localhostProfile(podOf(plain), { ...plain, securityContext })).toBe('a/b.json');
    expect(localhostProfile(podOf(plain, { securityContext }), plain)).toBe('a/b.json');
    const all = { ...plain, securityContext: { privileged: true } };
    expect(localhostProfile(podOf(all, { securityContext }), all)).toBeUndefined();
  });

  test('capabilities: drop, then add', () => {
    expect(resolveCapabilities({ drop: ['ALL'], add: ['NET_BIND_SERVICE'] })).toEqual(['NET_BIND_SERVICE']);
    expect(resolveCapabilities({ drop: ['CAP_CHOWN'] })).not.toContain('CHOWN');
    expect(resolveCapabilities({ add: ['all'], drop: ['SYS_ADMIN'] })).not.toContain('SYS_ADMIN');
    expect(() => resolveCapabilities({ add: ['NOPE'] })).toThrow('unknown capability "NOPE"');
    expect(capabilityMask(resolveCapabilities())).toBe(0xa80425fbn);
  });

  test('oom score', () => {
    expect([
      oomScoreAdj('Guaranteed', 0, 1),
      oomScoreAdj('BestEffort', 0, 1),
      oomScoreAdj('Burstable', 250, 1000),
      oomScoreAdj('Burstable', 0, 1000),
      oomScoreAdj('Burstable', 1000, 1000),
    ]).toEqual([-997, 1000, 750, 999, 3]);
  });
});

test('mounts: cleaned, an outer one first, never the root', () => {
  const mount = { source: '/s', readOnly: false, propagation: 'private' } as const;
  const build = (targets: string[]) =>
    containerSpec({
      pod: podOf({ name: 'app' }),
      container: { name: 'app' },
      image,
      env: new Map(),
      oomScoreAdj: 0,
      mounts: targets.map(target => ({ ...mount, target })),
    }).mounts.map(m => m.target);
  expect(build(['/a/b/c', '/a/', '/x/../y'])).toEqual(['/a', '/y', '/a/b/c']);
  expect(() => build(['/x/..'])).toThrow(ContainerConfigError);
});

test('expansion', () => {
  const lookup = (name: string) => ({ A: '1', 'b.c': '2' })[name];
  expect(expand('$(A)$(b.c) $A $(Z) $$(A) $$$(A) $', lookup)).toBe('12 $A $(Z) $(A) $1 $');
});

describe('the environment of a manifest', () => {
  const container: Container = { name: 'app', resources: { limits: { memory: '64Mi' }, requests: { cpu: '250m' } } };
  const facts = (changes: Partial<Container>, more: Partial<EnvFacts> = {}): EnvFacts => ({
    pod: podOf({ ...container, ...changes }),
    container: { ...container, ...changes },
    configMaps: new Map([
      ['cm', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'cm' }, data: { key: 'v', 'a=b': 'bad' } }],
    ]),
    secrets: new Map([
      [
        's',
        {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: 's' },
          data: { key: Buffer.from('hidden').toString('base64') },
        },
      ],
    ]),
    services: [['KUBERNETES_PORT', 'x']],
    hostIPs: ['10.0.0.1', 'fd00::1'],
    podIPs: ['10.244.0.5', 'fd00:10:244::5'],
    allocatable: { cpu: '2', memory: '1Gi' },
    ...more,
  });
  const value = (valueFrom: NonNullable<NonNullable<Container['env']>[number]['valueFrom']>) =>
    resolveEnv(facts({ env: [{ name: 'X', valueFrom }] })).get('X');

  test('order and references', () => {
    const env = resolveEnv(
      facts({
        envFrom: [{ configMapRef: { name: 'cm' } }, { prefix: 'S_', secretRef: { name: 's' } }],
        env: [
          { name: 'key', value: 'own' },
          { name: 'Y', value: '$(key) $(S_key)' },
        ],
      }),
    );
    expect(Object.fromEntries(env)).toEqual({ KUBERNETES_PORT: 'x', key: 'own', S_key: 'hidden', Y: 'own hidden' });
  });

  test('fields, resources, keys', () => {
    expect(value({ fieldRef: { fieldPath: 'metadata.name' } })).toBe('web-0');
    expect(value({ fieldRef: { fieldPath: "metadata.labels['app']" } })).toBe('web');
    expect(value({ fieldRef: { fieldPath: 'status.podIP' } })).toBe('10.244.0.5');
    expect(value({ fieldRef: { fieldPath: 'status.podIPs' } })).toBe('10.244.0.5,fd00:10:244::5');
    expect(value({ fieldRef: { fieldPath: 'status.hostIPs' } })).toBe('10.0.0.1,fd00::1');
    expect(value({ resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } })).toBe('64');
    expect(value({ resourceFieldRef: { resource: 'requests.cpu' } })).toBe('1');
    expect(value({ resourceFieldRef: { resource: 'requests.cpu', divisor: '1m' } })).toBe('250');
    expect(value({ resourceFieldRef: { resource: 'limits.cpu' } })).toBe('2');
    expect(value({ secretKeyRef: { name: 's', key: 'key' } })).toBe('hidden');
    expect(value({ configMapKeyRef: { name: 'cm', key: 'no', optional: true } })).toBeUndefined();
  });

  test.each([
    [{ configMapKeyRef: { name: 'no', key: 'k' } }, 'configmap "no" not found'],
    [{ secretKeyRef: { name: 'no', key: 'k' } }, 'secret "no" not found'],
    [{ configMapKeyRef: { name: 'cm', key: 'k' } }, "couldn't find key k in ConfigMap default/cm"],
    [{ secretKeyRef: { name: 's', key: 'k' } }, "couldn't find key k in Secret default/s"],
    [{ fieldRef: { fieldPath: 'spec.nope' } }, 'unsupported fieldPath: spec.nope'],
  ])('what is missing says so %#', (valueFrom, message) => {
    expect(() => value(valueFrom)).toThrow(new ContainerConfigError(message));
  });
});
