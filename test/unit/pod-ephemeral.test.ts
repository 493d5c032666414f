/** Ephemeral containers and resizing: what the node plans and shows, and what the API allows. */
import { describe, expect, test } from 'vitest';
import { noContainerFacts, type PodFacts, resourcesOf } from '../../agent/pods/facts.js';
import { plan } from '../../agent/pods/plan.js';
import { podStatus } from '../../agent/pods/status.js';
import type { AnyObject } from '../../src/api/kind.js';
import { validateEphemeral, validateEphemeralUpdate } from '../../src/api/pod/validate-ephemeral.js';
import { resize } from '../../src/api/subresources/resize.js';
import type { EphemeralContainer, Pod } from '../../src/kube/pod.js';

const live = { attempt: 0, id: 'a'.repeat(64), startedAt: '2026-01-01T00:00:00Z' };
const ended = { attempt: 0, id: 'b', exitCode: 1, reason: 'Error', finishedAt: '2026-01-01T00:00:00Z' };

function podWith(ephemeralContainers: EphemeralContainer[], limits?: Record<string, string>): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default', uid: 'u' },
    spec: {
      restartPolicy: 'Always',
      containers: [{ name: 'app', image: 'i', ...(limits && { resources: { limits, requests: limits } }) }],
      ephemeralContainers,
    },
  };
}

const factsWith = (containers: PodFacts['containers']): PodFacts => ({
  nextSandbox: 1,
  sandbox: { attempt: 0, alive: true },
  startTime: '2026-01-01T00:00:00Z',
  tornDown: false,
  containers: { app: { ...noContainerFacts, live, nextAttempt: 1, sandbox: 0 }, ...containers },
});

const debug = { name: 'debug', image: 'i' };

describe('ephemeral containers on the node', () => {
  test('one is started once, and never again, whatever the restart policy', () => {
    expect(plan(podWith([debug]), factsWith({}), 0).actions).toEqual([{ do: 'startContainer', container: 'debug' }]);
    const over = factsWith({ debug: { ...noContainerFacts, ended, nextAttempt: 1, sandbox: 0, crashes: 1 } });
    expect(plan(podWith([debug]), over, Date.now()).actions).toEqual([]);
  });

  test('it is stopped with the pod', () => {
    const facts = { ...factsWith({ debug: { ...noContainerFacts, live, nextAttempt: 1, sandbox: 0 } }) };
    const order = { deleted: true, failed: false, graceMs: 1000 };
    const { actions } = plan(podWith([debug]), { ...facts, termination: order }, 0);
    expect(actions.map(action => 'container' in action && action.container)).toEqual(['app', 'debug']);
  });

  test('its status is shown apart, and it makes the pod neither ready nor unready', () => {
    const over = factsWith({ debug: { ...noContainerFacts, ended, nextAttempt: 1, sandbox: 0, crashes: 1 } });
    const status = podStatus(podWith([debug]), over, { hostIPs: ['10.0.0.1'], now: 0, previous: undefined });
    expect(status.phase).toBe('Running');
    expect(status.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
    expect(status.ephemeralContainerStatuses).toMatchObject([
      { name: 'debug', ready: false, restartCount: 0, state: { terminated: { exitCode: 1 } } },
    ]);
  });
});

describe('ephemeral containers in the API', () => {
  const complaints = (list: EphemeralContainer[]) =>
    validateEphemeral(podWith(list).spec).map(({ field, message }) => `${field}: ${message}`);

  test('names are the pod’s, targets exist, and what needs guarantees is refused', () => {
    expect(complaints([debug])).toEqual([]);
    expect(complaints([{ ...debug, name: 'app' }])).toEqual([
      'spec.ephemeralContainers[0].name: Duplicate value: "app"',
    ]);
    expect(complaints([{ ...debug, targetContainerName: 'x' }])).toEqual([
      'spec.ephemeralContainers[0].targetContainerName: Not found: "x"',
    ]);
    expect(complaints([{ ...debug, ports: [{ containerPort: 1 }] }])).toEqual([
      'spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container',
    ]);
  });

  test('they are only added', () => {
    const messages = (next: EphemeralContainer[]) =>
      validateEphemeralUpdate(podWith(next), podWith([debug])).map(({ message }) => message);
    expect(messages([debug, { name: 'more', image: 'i' }])).toEqual([]);
    expect(messages([])[0]).toContain('existing ephemeral containers "debug" may not be removed');
    expect(messages([{ ...debug, image: 'j' }])[0]).toContain(
      'existing ephemeral containers "debug" may not be changed',
    );
  });
});

describe('resizing', () => {
  const asObject = (pod: Pod) => pod as unknown as AnyObject;
  const messages = (next: Pod, old: Pod) =>
    resize.validateUpdate(asObject(next), asObject(old)).map(({ message }) => message);

  test('cpu and memory change; other resources and the class of service do not', () => {
    const old = podWith([], { cpu: '1', memory: '64Mi' });
    expect(messages(podWith([], { cpu: '2', memory: '64Mi' }), old)).toEqual([]);
    expect(messages(podWith([], { cpu: '1', memory: '64Mi', 'example.com/x': '1' }), old)[0]).toContain(
      'only cpu and memory resources are mutable',
    );
    expect(messages(podWith([]), old)[0]).toContain('Pod QOS Class may not change as a result of resizing');
  });

  test('only resources get through', () => {
    const changed = podWith([], { cpu: '2', memory: '64Mi' });
    changed.spec.containers[0]!.image = 'other';
    const next = resize.narrow(
      asObject(podWith([], { cpu: '1', memory: '64Mi' })),
      asObject(changed),
    ) as unknown as Pod;
    expect(next.spec.containers[0]).toMatchObject({ image: 'i', resources: { limits: { cpu: '2' } } });
  });

  test('the node writes what has changed, shows what is in force, and does not try again what it cannot give', () => {
    const given = { limits: { cpu: '1' }, requests: { cpu: '1' } };
    const facts = factsWith({
      app: { ...noContainerFacts, live: { ...live, resources: given }, nextAttempt: 1, sandbox: 0 },
    });
    const pod = podWith([], { cpu: '2' });
    expect(plan(pod, facts, 0).actions).toEqual([{ do: 'resizeContainer', container: 'app' }]);
    const refused = { ...facts, resizeRefused: { wanted: resourcesOf(pod), message: 'no cpu controller' } };
    expect(plan(pod, refused, 0).actions).toEqual([]);
    const status = podStatus(pod, refused, { hostIPs: ['10.0.0.1'], now: 0, previous: undefined });
    expect(status.containerStatuses?.[0]).toMatchObject({ resources: given, allocatedResources: { cpu: '1' } });
    expect(status.conditions).toContainEqual(
      expect.objectContaining({ type: 'PodResizePending', reason: 'Infeasible' }),
    );
  });
});
