import { describe, expect, test } from 'vitest';
import { admit, resizeRefusal } from '../../agent/admission/admit.js';
import { type CapacityFacts, nodeCapacity } from '../../agent/admission/capacity.js';
import { hugetlbFiles } from '../../agent/cgroups/hugepages.js';
import { memoryQosFiles } from '../../agent/cgroups/memory-qos.js';
import { podFiles } from '../../agent/cgroups/resources.js';
import { needsRestart } from '../../agent/pods/resize.js';
import { restarts } from '../../agent/pods/restart.js';
import { resourceSettings } from '../../src/cli/resource-settings.js';
import type { Pod } from '../../src/kube/pod.js';
import { qosClass } from '../../src/kube/qos.js';

const podOf = (requests: Record<string, string>, spec: Partial<Pod['spec']> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', uid: 'u' },
  spec: { containers: [{ name: 'c', resources: { requests } }], ...spec },
});
const allocatable = { cpu: '2', memory: '1Gi', pods: '2', 'vendor.com/gpu': '1', 'hugepages-2Mi': '0' };
const state = (others: Pod[] = []) => ({ allocatable, node: undefined, others });

describe('admission', () => {
  test.each([
    [{ cpu: '2' }, [podOf({ cpu: '500m' })], 'OutOfcpu', 'cpu, requested: 2000, used: 500, capacity: 2000'],
    [{ memory: '2Gi' }, [], 'OutOfmemory', 'memory, requested: 2147483648, used: 0, capacity: 1073741824'],
    [{}, [podOf({}), podOf({})], 'OutOfpods', 'pods, requested: 1, used: 2, capacity: 2'],
    [{ 'vendor.com/gpu': '2' }, [], 'OutOfvendor.com/gpu', 'vendor.com/gpu, requested: 2, used: 0, capacity: 1'],
    [
      { 'hugepages-1Gi': '1Gi' },
      [],
      'OutOfhugepages-1Gi',
      'hugepages-1Gi, requested: 1073741824, used: 0, capacity: 0',
    ],
  ])('%j', (requests, others, reason, text) => {
    const message = `Node didn't have enough resource: ${text}`;
    expect(admit(podOf(requests as Record<string, string>), state(others))).toEqual({ reason, message });
  });

  test('what fits is taken; what the node does not count is no matter; the system comes first', () => {
    expect(admit(podOf({ cpu: '2', memory: '1Gi' }), state())).toBeUndefined();
    expect(admit(podOf({ 'other.com/x': '5' }), state())).toBeUndefined();
    const critical = podOf({ cpu: '9' }, { priorityClassName: 'system-node-critical' } as Partial<Pod['spec']>);
    expect(admit(critical, state())).toBeUndefined();
  });

  test('a node that was not asked for', () => {
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n', labels: { disk: 'hdd' } } };
    const pod = podOf({}, { nodeSelector: { disk: 'ssd' } } as Partial<Pod['spec']>);
    expect(admit(pod, { ...state(), node })?.reason).toBe('NodeAffinity');
    expect(admit(podOf({}, { nodeSelector: { disk: 'hdd' } } as never), { ...state(), node })).toBeUndefined();
  });

  test('a resize waits for others, or is never possible', () => {
    expect(resizeRefusal(podOf({ cpu: '3' }), state())).toEqual({
      reason: 'Infeasible',
      message: "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000",
    });
    expect(resizeRefusal(podOf({ cpu: '2' }), state([podOf({ cpu: '1' })]))?.reason).toBe('Deferred');
    expect(resizeRefusal(podOf({ cpu: '1' }), state([podOf({ cpu: '1' })]))).toBeUndefined();
  });

  test('resizePolicy counts for what has changed only', () => {
    const resizePolicy = [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }];
    const of = (cpu: string, memory: string) => ({ name: 'c', resources: { limits: { cpu, memory } }, resizePolicy });
    const before = { limits: { cpu: '1', memory: '1Gi' } };
    expect(needsRestart(of('2', '1Gi'), before)).toBe(false);
    expect(needsRestart(of('1', '2Gi'), before)).toBe(true);
  });
});

describe('capacity', () => {
  const facts: CapacityFacts = {
    cpus: 4,
    memoryBytes: 8 << 29,
    diskBytes: 1000 * 1024,
    maxPods: 110,
    hugepages: { 'hugepages-2Mi': 64 << 20 },
    devices: { 'vendor.com/gpu': { all: 2, healthy: 1 } },
    reserved: [],
    thresholds: { memory: 100 << 20, disk: 102_400 },
  };
  test('devices that work, memory without huge pages, disk without the threshold', () => {
    const { capacity, allocatable: free } = nodeCapacity({ ...facts, memoryBytes: 1 << 30 });
    expect([capacity['vendor.com/gpu'], free['vendor.com/gpu']]).toEqual(['2', '1']);
    expect([capacity['hugepages-2Mi'], free['hugepages-2Mi']]).toEqual(['65536Ki', '65536Ki']);
    expect([capacity['memory'], free['memory']]).toEqual(['1048576Ki', `${(1024 - 64 - 100) * 1024}Ki`]);
    expect([capacity['ephemeral-storage'], free['ephemeral-storage']]).toEqual(['1000Ki', '921600']);
  });
  test('less what is kept, never below nothing', () => {
    const kept = [{ cpu: '500m', memory: '100Mi' }, { cpu: '1' }];
    const { allocatable: free } = nodeCapacity({ ...facts, memoryBytes: 1 << 30, hugepages: {}, reserved: kept });
    expect([free['cpu'], free['memory']]).toEqual(['2500m', `${824 * 1024}Ki`]);
    expect(nodeCapacity({ ...facts, reserved: [{ cpu: '9' }] }).allocatable['cpu']).toBe('0');
  });
});

describe('flags', () => {
  const settings = (flags: object) => resourceSettings(flags, '/etc/d');
  test('defaults', () => {
    expect(settings({})).toMatchObject({
      cpuManagerPolicy: 'none',
      reservedCpus: [],
      podPidsLimit: 0,
      memoryQos: false,
      systemReserved: {},
      kubeReserved: {},
      devicesDir: '/etc/d',
    });
  });
  test('as given', () => {
    const of = settings({ systemReserved: 'cpu=500m,memory=1Gi', reservedCpus: '0-1', podPidsLimit: '-1' });
    expect([of.systemReserved, of.reservedCpus, of.podPidsLimit]).toEqual([{ cpu: '500m', memory: '1Gi' }, [0, 1], 0]);
  });
  test.each([
    [{ cpuManagerPolicy: 'best' }, /--cpu-manager-policy "best": must be none or static/],
    [{ reservedCpus: 'x' }, /--reserved-cpus "x": "x" is no processor or range/],
    [{ podPidsLimit: '1.5' }, /--pod-pids-limit "1.5"/],
    [{ systemReserved: 'disk=1' }, /--system-reserved "disk=1": must be NAME=QUANTITY/],
    [{ kubeReserved: 'cpu=-1' }, /--kube-reserved "cpu=-1"/],
    [{ devicesDir: 'here' }, /--devices-dir "here": must be an absolute path/],
  ])('%j', (flags, message) => {
    expect(() => settings(flags)).toThrow(message);
  });
});

describe('cgroup files', () => {
  test('what a pod says as a whole counts for its group and for its class', () => {
    const whole = { limits: { cpu: '1', memory: '64Mi' }, requests: { cpu: '1', memory: '64Mi' } };
    const pod = { ...podOf({ cpu: '100m' }), spec: { containers: [{ name: 'c' }], resources: whole } };
    expect(podFiles(pod, new Set(['cpu', 'memory']))).toEqual([
      ['cpu.weight', '39'],
      ['cpu.max', '100000 100000'],
      ['memory.max', String((64 + 4) << 20)],
    ]);
    expect(qosClass(pod.spec)).toBe('Guaranteed');
    expect(admit({ ...pod, spec: { ...pod.spec, resources: { requests: { cpu: '3' } } } }, state())?.reason).toBe(
      'OutOfcpu',
    );
  });
  test('huge pages of every size are limited', () => {
    const known = ['hugepages-2Mi', 'hugepages-1Gi'];
    expect(hugetlbFiles({ 'hugepages-2Mi': '4Mi' }, known)).toEqual([
      ['hugetlb.2MB.max', '4194304'],
      ['hugetlb.1GB.max', '0'],
    ]);
  });
  test('memory QoS: the request is kept, the brake comes before the limit', () => {
    const container = { name: 'c', resources: { requests: { memory: '16Mi' }, limits: { memory: '40Mi' } } };
    expect(memoryQosFiles(podOf({}), container, {})).toEqual([
      ['memory.min', String(16 << 20)],
      ['memory.high', String(Math.floor((16 + 0.9 * 24) * 256) * 4096)],
    ]);
    const guaranteed = { ...podOf({}), status: { qosClass: 'Guaranteed' as const } };
    expect(memoryQosFiles(guaranteed, container, {})).toEqual([['memory.min', String(16 << 20)]]);
  });
});

test('a container that was stopped for a resize runs again, whatever its policy', () => {
  const pod = podOf({}, { restartPolicy: 'OnFailure' });
  const ended = { attempt: 0, id: 'x', exitCode: 0, reason: 'Completed', finishedAt: '2026-01-01T00:00:00Z' };
  const container = pod.spec.containers[0] ?? { name: 'c' };
  expect(restarts(pod, container, ended, false)).toBe(false);
  expect(restarts(pod, container, { ...ended, again: true }, false)).toBe(true);
});
