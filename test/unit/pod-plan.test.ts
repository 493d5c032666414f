import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { factsOf, type LiveRun } from '../../agent/pods/facts.js';
import { plan, remainingGraceMs } from '../../agent/pods/plan.js';
import { podPhase, podStatus } from '../../agent/pods/status.js';
import type { Container, Pod, PodPhase } from '../../src/kube/pod.js';
import { PodSimulation } from '../helpers/pod-simulation.js';
import { testContainer, testPod } from '../helpers/pods.js';

const statusOf = (sim: PodSimulation) =>
  podStatus(sim.pod, sim.facts, { hostIPs: ['10.0.0.1'], now: sim.now, previous: undefined });

describe('the way of one pod', () => {
  test('sandbox first, then the containers in the order of the spec', () => {
    const sim = new PodSimulation(testPod({ containers: [testContainer('a'), testContainer('b')] }));
    sim.settle();
    expect(sim.log).toEqual(['createSandbox', 'startContainer a', 'startContainer b']);
    expect(statusOf(sim)).toMatchObject({
      phase: 'Running',
      podIP: '10.244.0.9',
      containerStatuses: [{ name: 'a', ready: true, restartCount: 0 }, { name: 'b' }],
    });
  });

  test('init containers run one by one, each to success', () => {
    const sim = new PodSimulation(testPod({ initContainers: [testContainer('i1'), testContainer('i2')] }));
    sim.settle();
    expect(sim.live()).toEqual(['i1']);
    expect(statusOf(sim).containerStatuses?.[0]?.state).toEqual({ waiting: { reason: 'PodInitializing' } });
    sim.exit('i1', 0);
    sim.settle();
    expect(sim.live()).toEqual(['i2']);
    sim.exit('i2', 0);
    sim.settle();
    expect(sim.live()).toEqual(['app']);
    expect(statusOf(sim).conditions?.find(c => c.type === 'Initialized')?.status).toBe('True');
  });

  test('a failed init container under Never fails the pod, and nothing else starts', () => {
    const sim = new PodSimulation(testPod({ restartPolicy: 'Never', initContainers: [testContainer('i')] }));
    sim.settle();
    sim.exit('i', 3);
    sim.settle();
    expect(sim.log.at(-1)).toBe('tearDown');
    expect(statusOf(sim)).toMatchObject({ phase: 'Failed' });
    expect(factsOf(sim.facts, 'app').nextAttempt).toBe(0);
  });

  test('the first restart comes at once, the next after 10 s, 20 s, … up to 300 s', () => {
    const sim = new PodSimulation(testPod());
    sim.settle();
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      sim.now += 1000;
      sim.exit('app', 1);
      const wakeAt = sim.settle();
      waits.push(((wakeAt ?? sim.now) - sim.now) / 1000);
      if (wakeAt) sim.now = wakeAt;
      sim.settle();
    }
    expect(waits).toEqual([0, 10, 20, 40, 80, 160, 300, 300]);
  });

  test('CrashLoopBackOff is shown while it waits, with the last run under lastState', () => {
    const sim = new PodSimulation(testPod());
    sim.settle();
    for (let i = 0; i < 2; i++) {
      sim.now += 1000;
      sim.exit('app', 1);
      sim.settle();
    }
    const [status] = statusOf(sim).containerStatuses ?? [];
    expect(status?.state?.waiting).toMatchObject({
      reason: 'CrashLoopBackOff',
      message: expect.stringMatching(/^back-off 10s restarting failed container=app pod=web_default\(/),
    });
    expect(status?.lastState?.terminated?.exitCode).toBe(1);
    expect(status?.restartCount).toBe(1);
  });

  test('a run of more than ten minutes forgets earlier crashes', () => {
    const sim = new PodSimulation(testPod());
    sim.settle();
    for (let i = 0; i < 4; i++) {
      sim.exit('app', 1);
      sim.now = sim.settle() ?? sim.now;
      sim.settle();
    }
    sim.now += 11 * 60_000;
    sim.exit('app', 1);
    expect(sim.settle()).toBeUndefined();
    expect(sim.live()).toEqual(['app']);
  });

  test('deletion: stop signal, SIGKILL when the grace is over, network and cgroup away, then the object', () => {
    const sim = new PodSimulation(testPod());
    sim.settle();
    sim.terminate({ deleted: true, failed: false, graceMs: 5000 });
    expect(sim.settle()).toBe(sim.now + 5000);
    sim.now += 5000;
    sim.settle();
    expect(sim.log.slice(2)).toEqual([
      'terminate',
      'stopContainer app',
      'killContainer app',
      'exit app 137',
      'tearDown',
      'release',
    ]);
  });

  test('a second delete can only shorten the grace, and sends no second signal', () => {
    const sim = new PodSimulation(testPod());
    sim.settle();
    sim.terminate({ deleted: true, failed: false, graceMs: 30_000 });
    sim.settle();
    sim.terminate({ deleted: true, failed: false, graceMs: 1000 });
    expect(sim.settle()).toBe(sim.now + 1000);
    expect(sim.log.filter(l => l === 'stopContainer app')).toHaveLength(1);
  });

  test('sidecars end after the app containers, in reverse order of start', () => {
    const sim = new PodSimulation(
      testPod({
        initContainers: [
          testContainer('s1', { restartPolicy: 'Always' }),
          testContainer('s2', { restartPolicy: 'Always' }),
        ],
      }),
    );
    sim.settle();
    expect(sim.live()).toEqual(['s1', 's2', 'app']);
    sim.terminate({ deleted: true, failed: false, graceMs: 30_000 });
    sim.settle();
    sim.exit('app', 0);
    sim.settle();
    sim.exit('s2', 0);
    sim.settle();
    expect(sim.log.filter(l => l.startsWith('stop'))).toEqual([
      'stopContainer app',
      'stopContainer s2',
      'stopContainer s1',
    ]);
  });

  test('when pause dies everything is stopped, and a new sandbox is made', () => {
    const sim = new PodSimulation(testPod());
    sim.settle();
    sim.pauseDies();
    sim.settle();
    expect(sim.log.slice(2)).toEqual([
      'pause dies',
      'stopContainer app',
      'killContainer app',
      'exit app 137',
      'tearDown',
      'createSandbox',
      'startContainer app',
    ]);
  });

  test('in a new sandbox the init containers run again before the app, and the pod is Pending until then', () => {
    const sim = new PodSimulation(testPod({ initContainers: [testContainer('i')] }));
    sim.settle();
    sim.exit('i', 0);
    sim.settle();
    expect(statusOf(sim).phase).toBe('Running');
    sim.pauseDies();
    sim.settle();
    expect(sim.live()).toEqual(['i']);
    expect(statusOf(sim)).toMatchObject({ phase: 'Pending', initContainerStatuses: [{ restartCount: 1 }] });
    sim.exit('i', 0);
    sim.settle();
    expect(sim.live()).toEqual(['app']);
    expect(statusOf(sim)).toMatchObject({ phase: 'Running', containerStatuses: [{ restartCount: 1 }] });
  });

  test('activeDeadlineSeconds fails the pod with DeadlineExceeded', () => {
    const sim = new PodSimulation(testPod({ activeDeadlineSeconds: 60, restartPolicy: 'Never' }));
    expect(sim.settle()).toBe(sim.now + 60_000);
    sim.now += 60_000;
    sim.settle();
    sim.exit('app', 143);
    sim.settle();
    expect(statusOf(sim)).toMatchObject({ phase: 'Failed', reason: 'DeadlineExceeded' });
    expect(sim.released).toBe(false);
  });

  test('an image that is not there shows its reason and is tried again later', () => {
    const pod = testPod();
    const sim = new PodSimulation(pod);
    sim.facts = {
      ...sim.facts,
      sandbox: { attempt: 0, alive: true },
      containers: {
        app: {
          crashes: 0,
          nextAttempt: 0,
          imageID: '',
          obstacle: { reason: 'ErrImageNeverPull', message: 'no', failures: 1, retryAt: sim.now + 10_000 },
        },
      },
    };
    expect(plan(pod, sim.facts, sim.now)).toEqual({ actions: [], wakeAt: sim.now + 10_000 });
    expect(statusOf(sim)).toMatchObject({
      phase: 'Pending',
      containerStatuses: [{ state: { waiting: { reason: 'ErrImageNeverPull' } } }],
    });
  });
});

describe('any history', () => {
  const container = (name: string) =>
    fc
      .record({ sidecar: fc.boolean() })
      .map(({ sidecar }) =>
        sidecar ? testContainer(name, { restartPolicy: 'Always' as const }) : testContainer(name),
      );
  const pods: fc.Arbitrary<Pod> = fc
    .record({
      policy: fc.constantFrom('Always' as const, 'OnFailure' as const, 'Never' as const),
      apps: fc.integer({ min: 1, max: 3 }),
      init: fc
        .integer({ min: 0, max: 3 })
        .chain(n => fc.tuple(...Array.from({ length: n }, (_, i) => container(`i${i}`)))),
      deadline: fc.option(fc.integer({ min: 1, max: 600 }), { nil: undefined }),
    })
    .map(({ policy, apps, init, deadline }) =>
      testPod({
        restartPolicy: policy,
        containers: Array.from({ length: apps }, (_, i) => testContainer(`c${i}`)),
        ...(init.length > 0 && { initContainers: init as Container[] }),
        ...(deadline !== undefined && { activeDeadlineSeconds: deadline }),
      }),
    );
  const happenings = fc.array(
    fc.oneof(
      { weight: 8, arbitrary: fc.record({ exit: fc.nat(5), code: fc.constantFrom(0, 0, 1, 137) }) },
      { weight: 6, arbitrary: fc.record({ pass: fc.integer({ min: 1, max: 900_000 }) }) },
      { weight: 1, arbitrary: fc.constant({ pause: true as const }) },
      { weight: 1, arbitrary: fc.record({ terminate: fc.constantFrom(0, 1000, 30_000) }) },
    ),
    { maxLength: 40 },
  );

  test('keeps the rules, never takes a terminal phase back, and lets go of everything once deleted', () => {
    fc.assert(
      fc.property(pods, happenings, (pod, history) => {
        const sim = new PodSimulation(pod);
        let terminal: PodPhase | undefined;
        const observe = () => {
          const phase = podPhase(pod, sim.facts);
          if (terminal) expect(phase).toBe(terminal);
          else if (phase === 'Succeeded' || phase === 'Failed') terminal = phase;
        };
        sim.settle();
        for (const step of history) {
          if ('exit' in step) sim.exit(sim.live()[step.exit] ?? '', step.code);
          else if ('pass' in step) sim.now += step.pass;
          else if ('pause' in step) sim.pauseDies();
          else sim.terminate({ deleted: true, failed: false, graceMs: step.terminate });
          sim.settle();
          observe();
        }
        sim.terminate({ deleted: true, failed: false, graceMs: 1000 });
        for (let i = 0; i < 20 && !sim.released; i++) sim.now = sim.settle() ?? sim.now;
        expect(sim.released).toBe(true);
        expect(sim.live()).toEqual([]);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('probes and hooks', () => {
  const live = (sim: PodSimulation, name: string, change: Partial<LiveRun>) => {
    const state = factsOf(sim.facts, name);
    const run = { ...(state.live as LiveRun), ...change };
    sim.facts = { ...sim.facts, containers: { ...sim.facts.containers, [name]: { ...state, live: run } } };
  };
  const postStart = { lifecycle: { postStart: { sleep: { seconds: 1 } } } };

  test('the next container waits for the postStart hook of the one before it', () => {
    const sim = new PodSimulation(testPod({ containers: [testContainer('a', postStart), testContainer('b')] }));
    sim.once();
    sim.once();
    live(sim, 'a', { starting: true });
    sim.settle();
    expect(sim.live()).toEqual(['a']);
    expect(statusOf(sim).containerStatuses).toMatchObject([
      { name: 'a', ready: false, started: false },
      { name: 'b', state: { waiting: { reason: 'ContainerCreating' } } },
    ]);
    live(sim, 'a', { starting: false });
    sim.settle();
    expect(sim.live()).toEqual(['a', 'b']);
    expect(statusOf(sim).containerStatuses).toMatchObject([{ ready: true, started: true }, { ready: true }]);
  });

  test('a sidecar that has not started holds back the next init container', () => {
    const initContainers = [testContainer('s', { restartPolicy: 'Always', startupProbe: {} }), testContainer('i')];
    const sim = new PodSimulation(testPod({ initContainers }));
    sim.once();
    sim.once();
    live(sim, 's', { started: false });
    sim.settle();
    expect(sim.live()).toEqual(['s']);
    live(sim, 's', { started: true });
    sim.settle();
    expect(sim.live()).toEqual(['s', 'i']);
  });

  test('one that a probe has condemned is stopped within the grace of the probe, and starts again', () => {
    const sim = new PodSimulation(testPod());
    sim.settle();
    live(sim, 'app', {
      condemned: { message: 'Container app failed liveness probe, will be restarted', graceMs: 3000 },
    });
    const wakeAt = sim.settle();
    expect(wakeAt).toBe(sim.now + 3000);
    sim.now += 3000;
    sim.settle();
    expect(sim.log.slice(-4)).toEqual(['stopContainer app', 'killContainer app', 'exit app 137', 'startContainer app']);
  });

  test('a shorter grace holds for what waits on its preStop hook too, and none is none', () => {
    const sim = new PodSimulation(testPod());
    sim.settle();
    sim.terminate({ deleted: true, failed: false, graceMs: 30_000 });
    sim.settle();
    const state = factsOf(sim.facts, 'app');
    const stop = { since: sim.now, killAt: sim.now + 32_000, killed: false, extraMs: 2000 };
    sim.facts = { ...sim.facts, containers: { app: { ...state, stop } } };
    expect(plan(sim.pod, sim.facts, sim.now).wakeAt).toBe(sim.now + 32_000);
    sim.terminate({ deleted: true, failed: false, graceMs: 5000 });
    expect(plan(sim.pod, sim.facts, sim.now).wakeAt).toBe(sim.now + 7000);
    sim.terminate({ deleted: true, failed: false, graceMs: 0 });
    expect(plan(sim.pod, sim.facts, sim.now).actions).toEqual([{ do: 'killContainer', container: 'app' }]);
  });

  test('a readiness probe and gates decide on Ready; ContainersReady asks the probe only', () => {
    const sim = new PodSimulation(testPod({ readinessGates: [{ conditionType: 'example.com/go' }] }));
    sim.settle();
    const conditions = (pod = sim.pod) =>
      Object.fromEntries(
        podStatus(pod, sim.facts, { hostIPs: ['10.0.0.1'], now: sim.now, previous: undefined }).conditions?.map(c => [
          c.type,
          c,
        ]) ?? [],
      );
    live(sim, 'app', { ready: false });
    expect(conditions()['Ready']).toMatchObject({ status: 'False', reason: 'ContainersNotReady' });
    live(sim, 'app', { ready: true });
    expect(conditions()['ContainersReady']?.status).toBe('True');
    expect(conditions()['Ready']).toMatchObject({
      status: 'False',
      reason: 'ReadinessGatesNotReady',
      message: 'corresponding condition of pod readiness gate "example.com/go" does not exist.',
    });
    const opened = {
      ...sim.pod,
      status: { ...sim.pod.status, conditions: [{ type: 'example.com/go', status: 'True' as const }] },
    } as Pod;
    expect(conditions(opened)['Ready']?.status).toBe('True');
  });
});

test('a grace that is long over is not given again by every new agent', () => {
  const container = { name: 'app', image: 'i' };
  const sidecar = { name: 'side', image: 'i', restartPolicy: 'Always' };
  const pod = (initContainers: object[]) =>
    ({ metadata: { name: 'p' }, spec: { containers: [container], initContainers } }) as unknown as Pod;
  const facts = {
    nextSandbox: 1,
    containers: {},
    startTime: '',
    tornDown: false,
    termination: { deleted: true, failed: false, graceMs: 30_000 },
    stopBy: 100_000,
  };
  const left = (now: number, sidecars: object[] = []) => remainingGraceMs(pod(sidecars), facts, 30_000, now);
  expect([left(80_000), left(99_000), left(101_000), left(104_001)]).toEqual([20_000, 2000, 2000, 0]);
  expect([left(104_001, [sidecar]), left(106_001, [sidecar])]).toEqual([2000, 0]);
});
