/** What is told of a pod whose containers do not come to run, or are taken from it: kubelet's words, from plain facts. */
import { expect, test } from 'vitest';
import { admit } from '../../agent/admission/admit.js';
import type { ContainerFacts, EndedRun, PodFacts, Termination } from '../../agent/pods/facts.js';
import { podStatus } from '../../agent/pods/status.js';
import type { Pod } from '../../src/kube/pod.js';
import { testContainer, testPod } from '../helpers/pods.js';

const now = Date.parse('2026-01-01T00:01:00Z');
const at = '2026-01-01T00:01:00Z';
const run: EndedRun = { attempt: 0, id: 'a', exitCode: 1, reason: 'Error', startedAt: at, finishedAt: at };
const begun: ContainerFacts = { crashes: 0, nextAttempt: 1, sandbox: 0, imageID: 'sha256:1' };
const facts = (containers: Record<string, Partial<ContainerFacts>>, more: Partial<PodFacts> = {}): PodFacts => ({
  nextSandbox: 1,
  sandbox: { attempt: 0, alive: true },
  containers: Object.fromEntries(Object.entries(containers).map(([name, state]) => [name, { ...begun, ...state }])),
  startTime: at,
  tornDown: false,
  ...more,
});
const told = (pod: Pod, of: PodFacts) => podStatus(pod, of, { hostIPs: ['10.0.0.1'], now, previous: undefined });
const appOf = (pod: Pod, of: PodFacts) => told(pod, of).containerStatuses?.[0]?.state;

test('a container whose postStart hook runs is not told as running yet', () => {
  const starting = facts({ app: { live: { attempt: 0, id: 'a', startedAt: at, starting: true } } });
  const { phase, containerStatuses } = told(testPod(), starting);
  expect(phase).toBe('Pending');
  expect(containerStatuses?.[0]).toMatchObject({ ready: false, state: { waiting: { reason: 'ContainerCreating' } } });
  const second = facts({ app: { nextAttempt: 2, live: { attempt: 1, id: 'a', startedAt: at, starting: true } } });
  expect(told(testPod(), second).phase).toBe('Running');
  const withInit = testPod({ initContainers: [testContainer('i')] });
  expect(appOf(withInit, starting)).toEqual({ waiting: { reason: 'PodInitializing' } });
});

test.each([
  [{ reason: 'StartError', message: 'exec: "/x": no such file' }, 'RunContainerError', 'exec: "/x": no such file'],
  [{ hookFailed: 'hook said no' }, 'PostStartHookError', 'hook said no'],
])('the first back-off shows why, the later ones that it goes on: %j', (more, reason, message) => {
  const after = (crashes: number) => facts({ app: { crashes, nextAttempt: crashes, ended: { ...run, ...more } } });
  expect(appOf(testPod(), after(2))).toEqual({ waiting: { reason, message } });
  expect(appOf(testPod(), after(3))?.waiting?.reason).toBe('CrashLoopBackOff');
});

test('what was never due still waits when the pod has failed; what was due is unknown', () => {
  const pod = testPod({ restartPolicy: 'Never', initContainers: [testContainer('i1'), testContainer('i2')] });
  const failed = told(pod, facts({ i1: { ended: run } }, { tornDown: true }));
  expect(failed.phase).toBe('Failed');
  const waits = { waiting: { reason: 'PodInitializing' } };
  expect(failed.initContainerStatuses?.[1]?.state).toEqual(waits);
  expect(failed.containerStatuses?.[0]?.state).toEqual(waits);
  const termination: Termination = { deleted: false, failed: true, reason: 'DeadlineExceeded', graceMs: 0 };
  const ready = facts({ i1: { ended: { ...run, exitCode: 0 } }, i2: { ended: { ...run, exitCode: 0 } } });
  const lost = told(pod, { ...ready, termination, tornDown: true });
  expect(lost.containerStatuses?.[0]?.state?.terminated).toMatchObject({
    exitCode: 137,
    reason: 'ContainerStatusUnknown',
  });
});

test('a pod that the node took its room from is a target of disruption; one it never took up is not', () => {
  const termination: Termination = { deleted: false, failed: true, reason: 'Evicted', message: 'low', graceMs: 0 };
  const of = (more: Partial<PodFacts>) =>
    told(testPod(), facts({}, { termination, ...more })).conditions?.find(c => c.type === 'DisruptionTarget');
  expect(of({})).toMatchObject({ status: 'True', reason: 'TerminationByKubelet', message: 'low' });
  expect(of({ nextSandbox: 0 })).toBeUndefined();
  expect(of({ termination: { ...termination, reason: 'DeadlineExceeded' } })).toBeUndefined();
});

test('a port of the node is one pod’s only, also for a pod that no scheduler has placed', () => {
  const withPort = (hostPort: number, more: object = {}) =>
    testPod({ containers: [testContainer('app', { ports: [{ containerPort: 80, hostPort, ...more }] })] });
  const state = (others: Pod[]) => ({ allocatable: { pods: '9' }, node: undefined, others });
  expect(admit(withPort(8080), state([withPort(8080)]))).toEqual({
    reason: 'NodePorts',
    message: "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
  });
  expect(admit(withPort(8080), state([withPort(8081), withPort(8080, { protocol: 'UDP' })]))).toBeUndefined();
  expect(
    admit(withPort(8080, { hostIP: '10.0.0.1' }), state([withPort(8080, { hostIP: '10.0.0.2' })])),
  ).toBeUndefined();
});
