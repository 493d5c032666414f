import { describe, expect, test } from 'vitest';
import type { Kind } from '../../src/api/kind.js';
import { endpoints } from '../../src/api/kinds/endpoints.js';
import { endpointSlice } from '../../src/api/kinds/endpointslice.js';
import { event } from '../../src/api/kinds/event.js';
import { eventV1 } from '../../src/api/kinds/event-v1.js';
import { horizontalPodAutoscaler } from '../../src/api/kinds/horizontalpodautoscaler.js';
import { horizontalPodAutoscalerV1 } from '../../src/api/kinds/horizontalpodautoscaler-v1.js';
import { ingress } from '../../src/api/kinds/ingress.js';
import { limitRange } from '../../src/api/kinds/limitrange.js';
import { networkPolicy } from '../../src/api/kinds/networkpolicy.js';
import { persistentVolume } from '../../src/api/kinds/persistentvolume.js';
import { persistentVolumeClaim } from '../../src/api/kinds/persistentvolumeclaim.js';
import { podDisruptionBudget } from '../../src/api/kinds/poddisruptionbudget.js';
import { priorityClass } from '../../src/api/kinds/priorityclass.js';
import { resourceQuota } from '../../src/api/kinds/resourcequota.js';
import { service } from '../../src/api/kinds/service.js';
import { storageClass } from '../../src/api/kinds/storageclass.js';
import { nextTime, scheduleProblem } from '../../src/kube/cron.js';
import { clone } from '../../src/kube/json.js';
import { cells, made, problems, updateProblems } from '../helpers/kinds.js';

const volume = {
  spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], nfs: { server: 's', path: '/x' } },
};
const claim = { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } };
const target = { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, maxReplicas: 3 };
const backend = { service: { name: 'web', port: { number: 80 } } };
const rule = (item: object) => ({ spec: { rules: [{ http: { paths: [{ backend, ...item }] } }] } });

/** An object, the whole of it or the interesting part. */
const accepted: [string, Kind, object, object][] = [
  [
    'PersistentVolume',
    persistentVolume,
    volume,
    { spec: { persistentVolumeReclaimPolicy: 'Retain', volumeMode: 'Filesystem' }, status: { phase: 'Pending' } },
  ],
  [
    'PersistentVolumeClaim',
    persistentVolumeClaim,
    claim,
    { spec: { volumeMode: 'Filesystem' }, status: { phase: 'Pending' } },
  ],
  [
    'StorageClass',
    storageClass,
    { provisioner: 'example.com/x' },
    { reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' },
  ],
  [
    'HorizontalPodAutoscaler',
    horizontalPodAutoscaler,
    { spec: { ...target, behavior: { scaleDown: { stabilizationWindowSeconds: 60 } } } },
    {
      spec: {
        minReplicas: 1,
        metrics: [
          { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } },
        ],
        behavior: {
          scaleUp: { stabilizationWindowSeconds: 0, selectPolicy: 'Max' },
          scaleDown: { stabilizationWindowSeconds: 60, policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
        },
      },
    },
  ],
  [
    'NetworkPolicy',
    networkPolicy,
    { spec: { podSelector: {}, egress: [{}] } },
    { spec: { policyTypes: ['Ingress', 'Egress'] } },
  ],
  [
    'NetworkPolicy that only names ports',
    networkPolicy,
    { spec: { ingress: [{ ports: [{ port: 80 }] }] } },
    { spec: { podSelector: {}, policyTypes: ['Ingress'], ingress: [{ ports: [{ port: 80, protocol: 'TCP' }] }] } },
  ],
  [
    'LimitRange',
    limitRange,
    { spec: { limits: [{ type: 'Container', max: { cpu: '1' } }] } },
    { spec: { limits: [{ default: { cpu: '1' }, defaultRequest: { cpu: '1' } }] } },
  ],
  ['Ingress', ingress, rule({ path: '/', pathType: 'Prefix' }), { status: { loadBalancer: {} } }],
  [
    'PodDisruptionBudget',
    podDisruptionBudget,
    { spec: { minAvailable: 1 } },
    { status: { disruptionsAllowed: 0, expectedPods: 0 } },
  ],
  ['PriorityClass', priorityClass, { value: 5 }, { preemptionPolicy: 'PreemptLowerPriority' }],
  ['system PriorityClass', priorityClass, { metadata: { name: 'system-node-critical' }, value: 2_000_001_000 }, {}],
  [
    'ResourceQuota',
    resourceQuota,
    { spec: { hard: { pods: '3', 'count/jobs.batch': '1', 'requests.cpu': '2' } } },
    { status: {} },
  ],
  [
    'EndpointSlice',
    endpointSlice,
    { addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.1'] }], ports: [{ port: 80 }] },
    { ports: [{ name: '', protocol: 'TCP', port: 80 }] },
  ],
];

test.each(accepted)('%s: defaulted, and sound', (_name, kind, given, expected) => {
  const object = made(kind, given);
  expect(object).toMatchObject(expected);
  expect(problems(kind, object)).toEqual([]);
});

const refused: [Kind, object, string][] = [
  [service, { spec: {} }, 'spec.ports: Required value'],
  [
    service,
    { spec: { ports: [{ port: 0 }] } },
    'spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
  ],
  [service, { spec: { ports: [{ port: 80 }, { port: 81 }] } }, 'spec.ports[1].name: Required value'],
  [
    service,
    {
      spec: {
        ports: [
          { name: 'a', port: 80 },
          { name: 'a', port: 81 },
        ],
      },
    },
    'spec.ports[1].name: Duplicate value: "a"',
  ],
  [
    service,
    {
      spec: {
        ports: [
          { name: 'a', port: 80 },
          { name: 'b', port: 80 },
        ],
      },
    },
    'spec.ports[1]: Duplicate value: {"protocol":"TCP","port":80}',
  ],
  [
    service,
    { spec: { ports: [{ port: 80, nodePort: 30_000 }] } },
    "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
  ],
  [service, { spec: { type: 'ExternalName' } }, 'spec.externalName: Required value'],
  [
    service,
    { spec: { type: 'Gateway', ports: [{ port: 80 }] } },
    'spec.type: Unsupported value: "Gateway": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
  ],
  [
    service,
    { spec: { ports: [{ port: 80 }], externalTrafficPolicy: 'Local' } },
    'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
  ],
  [ingress, { spec: {} }, 'spec: Invalid value: []: either `defaultBackend` or `rules` must be specified'],
  [ingress, rule({ path: '/' }), 'spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified'],
  [
    ingress,
    rule({ path: 'x', pathType: 'Prefix' }),
    'spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path',
  ],
  [
    ingress,
    rule({ path: '/', pathType: 'Exact', backend: {} }),
    'spec.rules[0].http.paths[0].backend: Required value: resource or service backend is required',
  ],
  [
    networkPolicy,
    { spec: { ingress: [{ from: [{}] }] } },
    'spec.ingress[0].from[0]: Required value: must specify a peer',
  ],
  [
    networkPolicy,
    { spec: { egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/16'] } }] }] } },
    'spec.egress[0].to[0].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`',
  ],
  [
    networkPolicy,
    { spec: { ingress: [{ ports: [{ port: 90, endPort: 80 }] }] } },
    'spec.ingress[0].ports[0].endPort: Invalid value: 90: must be greater than or equal to `port`',
  ],
  [
    persistentVolume,
    { spec: { ...volume.spec, hostPath: { path: '/x' } } },
    'spec.hostPath: Forbidden: may not specify more than 1 volume type',
  ],
  [persistentVolume, { spec: {} }, 'spec: Required value: must specify a volume type'],
  [persistentVolumeClaim, { spec: {} }, 'spec.accessModes: Required value: at least 1 access mode is required'],
  [persistentVolumeClaim, { spec: { accessModes: ['ReadWriteOnce'] } }, 'spec.resources[storage]: Required value'],
  [storageClass, {}, 'provisioner: Required value'],
  [
    horizontalPodAutoscaler,
    { spec: { ...target, minReplicas: 5 } },
    'spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`',
  ],
  [
    podDisruptionBudget,
    { spec: { minAvailable: 1, maxUnavailable: 1 } },
    'spec: Invalid value: {"minAvailable":1,"maxUnavailable":1}: minAvailable and maxUnavailable cannot be both set',
  ],
  [
    podDisruptionBudget,
    { spec: { maxUnavailable: '101%' } },
    'spec.maxUnavailable: Invalid value: "101%": must not be greater than 100%',
  ],
  [
    priorityClass,
    { value: 1_000_000_001 },
    'value: Forbidden: maximum allowed value of a user defined priority is 1000000000',
  ],
  [
    resourceQuota,
    { spec: { hard: { apples: '1' } } },
    'spec.hard[apples]: Invalid value: "apples": must be a standard resource for quotas',
  ],
  [resourceQuota, { spec: { hard: { pods: '500m' } } }, 'spec.hard[pods]: Invalid value: "500m": must be an integer'],
  [
    limitRange,
    { spec: { limits: [{ type: 'Container', min: { cpu: '2' }, max: { cpu: '1' } }] } },
    'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
  ],
  [
    endpointSlice,
    { addressType: 'IPv4', endpoints: [{ addresses: ['::1'] }] },
    'endpoints[0].addresses[0]: Invalid value: "::1": must be a valid IPv4 address',
  ],
  [
    endpoints,
    { subsets: [{ addresses: [{ ip: 'x' }] }] },
    'subsets[0].addresses[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
  ],
];

test.each(refused.map(([kind, given, problem]) => [kind.kind, problem, kind, given] as const))(
  '%s is refused: %s',
  (_kind, problem, kind, given) => {
    expect(problems(kind, made(kind, given))).toContain(problem);
  },
);

describe('what may not change', () => {
  test('a claim but for growing once it is bound', () => {
    const old = made(persistentVolumeClaim, claim);
    const larger = clone(old);
    Object.assign(larger.spec as object, { resources: { requests: { storage: '2Gi' } } });
    expect(updateProblems(persistentVolumeClaim, larger, old)[0]).toMatch(/^spec: Forbidden: spec is immutable/);
    old.status = { phase: 'Bound' };
    expect(updateProblems(persistentVolumeClaim, larger, old)).toEqual([]);
    expect(updateProblems(persistentVolumeClaim, old, { ...larger, status: { phase: 'Bound' } })).toEqual([
      'spec.resources.requests.storage: Forbidden: field can not be less than status.capacity',
    ]);
    const named = clone(old);
    Object.assign(named.spec as object, { volumeName: 'pv1' });
    expect(updateProblems(persistentVolumeClaim, named, old)).toEqual([]);
  });
  test("a volume's source and a priority's value", () => {
    const old = made(persistentVolume, volume);
    const moved = made(persistentVolume, { spec: { ...volume.spec, nfs: { server: 't', path: '/x' } } });
    expect(updateProblems(persistentVolume, moved, old)).toEqual([
      'spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation',
    ]);
    expect(updateProblems(priorityClass, made(priorityClass, { value: 2 }), made(priorityClass, { value: 1 }))).toEqual(
      ['value: Forbidden: may not be changed in an update.'],
    );
  });
});

describe('rows', () => {
  test.each<[Kind, object, object, object]>([
    [
      service,
      { spec: { type: 'LoadBalancer', clusterIPs: ['10.96.1.1'], ports: [{ port: 80, nodePort: 30_080 }] } },
      { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } },
      {
        Type: 'LoadBalancer',
        'Cluster-IP': '10.96.1.1',
        'External-IP': '1.2.3.4',
        'Port(s)': '80:30080/TCP',
        Selector: '<none>',
      },
    ],
    [
      persistentVolume,
      { spec: { ...volume.spec, claimRef: { namespace: 'a', name: 'b' } } },
      { phase: 'Bound' },
      {
        Capacity: '1Gi',
        'Access Modes': 'RWO',
        'Reclaim Policy': 'Retain',
        Status: 'Bound',
        Claim: 'a/b',
        VolumeAttributesClass: '<unset>',
        VolumeMode: 'Filesystem',
      },
    ],
    [
      persistentVolumeClaim,
      { spec: { ...claim.spec, volumeName: 'v', storageClassName: 's' } },
      { phase: 'Bound', capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] },
      { Status: 'Bound', Volume: 'v', Capacity: '1Gi', 'Access Modes': 'RWO', StorageClass: 's' },
    ],
    [
      resourceQuota,
      { spec: {} },
      { hard: { pods: '10', 'limits.cpu': '2' }, used: { pods: '3', 'limits.cpu': '500m' } },
      { Request: 'pods: 3/10', Limit: 'limits.cpu: 500m/2' },
    ],
    [
      storageClass,
      { metadata: { annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } }, provisioner: 'p' },
      {},
      { Name: 'x (default)', AllowVolumeExpansion: 'false' },
    ],
    [
      networkPolicy,
      {
        spec: {
          podSelector: {
            matchLabels: { a: 'b' },
            matchExpressions: [{ key: 'c', operator: 'In', values: ['z', 'y'] }],
          },
        },
      },
      {},
      { 'Pod-Selector': 'a=b,c in (y,z)' },
    ],
    [
      endpoints,
      { subsets: [{ addresses: ['1', '2', '3', '4'].map(n => ({ ip: `10.0.0.${n}` })), ports: [{ port: 80 }] }] },
      {},
      { Endpoints: '10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 1 more...' },
    ],
    [endpointSlice, { addressType: 'IPv4' }, {}, { Ports: '<unset>', Endpoints: '<unset>' }],
    [
      horizontalPodAutoscaler,
      { spec: target },
      {
        currentReplicas: 2,
        currentMetrics: [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 12 } } }],
      },
      { Reference: 'Deployment/web', Targets: 'cpu: 12%/80%', MinPods: '1', MaxPods: 3, Replicas: 2 },
    ],
    [
      ingress,
      { spec: { ingressClassName: 'n', tls: [{}], rules: ['a', 'b', 'c', 'd'].map(host => ({ host })) } },
      { loadBalancer: { ingress: [{ hostname: 'h' }] } },
      { Class: 'n', Hosts: 'a,b,c + 1 more...', Address: 'h', Ports: '80, 443' },
    ],
  ])('$kind', (kind, given, status, expected) => {
    expect(cells(kind, { ...made(kind, given), status })).toMatchObject(expected);
  });
});

describe('faces', () => {
  test('autoscaling/v1 and back keeps everything', () => {
    const object = made(horizontalPodAutoscaler, {
      spec: {
        ...target,
        metrics: [
          { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
          { type: 'Pods', pods: { metric: { name: 'qps' }, target: { type: 'AverageValue', averageValue: '10' } } },
        ],
        behavior: { scaleDown: {} },
      },
    });
    const { fromStored, toStored } = horizontalPodAutoscalerV1.conversion!;
    const face = fromStored(object);
    expect(face).toMatchObject({
      apiVersion: 'autoscaling/v1',
      spec: { targetCPUUtilizationPercentage: 50, maxReplicas: 3 },
      metadata: { annotations: { 'autoscaling.alpha.kubernetes.io/metrics': expect.stringContaining('qps') } },
    });
    const back = toStored(face);
    expect(back.metadata.annotations).toBeUndefined();
    expect(new Set((back.spec as { metrics: object[] }).metrics)).toEqual(
      new Set((object.spec as { metrics: object[] }).metrics),
    );
    expect((back.spec as { behavior: object }).behavior).toEqual((object.spec as { behavior: object }).behavior);
    expect(cells(horizontalPodAutoscalerV1, face)).toMatchObject({
      MaxPods: 3,
      Targets: expect.stringContaining('cpu: '),
    });
  });
  test('events.k8s.io/v1 and back', () => {
    const core = made(event, {
      involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' },
      reason: 'Started',
      message: 'm',
      type: 'Normal',
      count: 2,
      reportingComponent: 'agent',
      reportingInstance: 'n',
    });
    const { fromStored, toStored } = eventV1.conversion!;
    const face = fromStored(core);
    expect(face).toMatchObject({
      apiVersion: 'events.k8s.io/v1',
      regarding: { name: 'p' },
      note: 'm',
      deprecatedCount: 2,
    });
    expect(toStored(face)).toEqual(core);
    expect(cells(eventV1, face)).toEqual(cells(event, core));
  });
});

describe('cron', () => {
  const from = Date.parse('2026-03-28T23:30:00Z');
  const next = (schedule: string, zone?: string) => new Date(nextTime(schedule, zone, from)!).toISOString();
  test('times, with zones and their daylight saving', () => {
    expect(next('0 0 * * *')).toBe('2026-03-29T00:00:00.000Z');
    expect(next('@hourly')).toBe('2026-03-29T00:00:00.000Z');
    expect(next('0 4 * * sun', 'Europe/Berlin')).toBe('2026-03-29T02:00:00.000Z');
    expect(next('0 0 1 * mon')).toBe('2026-03-30T00:00:00.000Z');
    expect(next('@every 90m')).toBe('2026-03-29T01:00:00.000Z');
  });
  test.each(['*/5 * * * *', '0-30/10 1,2 ? jan-mar MON', '@weekly', '@every 1h30m10s'])(
    '%s is a schedule',
    schedule => {
      expect(scheduleProblem(schedule)).toBeUndefined();
    },
  );
  test.each([
    ['* * * * 7', 'end of range (7) above maximum (6): 7'],
    ['* * 0 * *', 'beginning of range (0) below minimum (1): 0'],
    ['5-1 * * * *', 'beginning of range (5) beyond end of range (1): 5-1'],
    ['*/0 * * * *', 'step of range should be a positive number: */0'],
    ['@fortnightly', 'unrecognized descriptor: @fortnightly'],
    ['a * * * *', 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'],
    ['* * L * *', 'failed to parse int from L: strconv.Atoi: parsing "L": invalid syntax'],
  ])('%s is none: %s', (schedule, why) => {
    expect(scheduleProblem(schedule)).toBe(why);
  });
});
