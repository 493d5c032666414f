/** DaemonSet as tables: which nodes get a pod, and how an update goes over them. */
import { describe, expect, test } from 'vitest';
import type { Seen } from '../../src/controllers/contract.js';
import { daemonSetController } from '../../src/controllers/daemonset/index.js';
import { boundsOf, plan } from '../../src/controllers/daemonset/plan.js';
import { fitOf, nodeOf, podFor, tolerationsOf } from '../../src/controllers/daemonset/pods.js';
import { statusOf as countOf } from '../../src/controllers/daemonset/status.js';
import type { DaemonSet } from '../../src/kube/api/apps-v1.js';
import type { Node } from '../../src/kube/node.js';
import type { Pod, PodSpec } from '../../src/kube/pod.js';
import { facts, object, start } from '../helpers/facts.js';
import { deeds, type PodState, pod } from '../helpers/workloads.js';

const set = (template: object = {}, rollingUpdate: object = { maxUnavailable: 1, maxSurge: 0 }) =>
  object('DaemonSet', 'ds', 'd', {
    apiVersion: 'apps/v1',
    metadata: { creationTimestamp: 'x' },
    spec: {
      selector: { matchLabels: { app: 'ds' } },
      template: { metadata: { labels: { app: 'ds' } }, spec: { containers: [], ...template } },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate },
    },
  }) as unknown as DaemonSet & Seen;
const node = (name: string, spec: object = {}, labels: object = {}) =>
  object('Node', name, undefined, { spec, metadata: { labels } }) as unknown as Node;
const taint = (key: string, effect: string) => ({ taints: [{ key, effect }] });

test.each<[string, object, Node, { run: boolean; stay: boolean }]>([
  ['any node', {}, node('n'), { run: true, stay: true }],
  ['labels fit', { nodeSelector: { a: 'b' } }, node('n', {}, { a: 'b' }), { run: true, stay: true }],
  ['labels do not', { nodeSelector: { a: 'b' } }, node('n', {}, { a: 'c' }), { run: false, stay: false }],
  ['named', { nodeName: 'n' }, node('n'), { run: true, stay: true }],
  ['another is named', { nodeName: 'm' }, node('n'), { run: false, stay: false }],
  ['tainted: none is made, one may stay', {}, node('n', taint('x', 'NoSchedule')), { run: false, stay: true }],
  ['tainted harder: none may stay', {}, node('n', taint('x', 'NoExecute')), { run: false, stay: false }],
  [
    'tolerated',
    { tolerations: [{ operator: 'Exists' }] },
    node('n', taint('x', 'NoExecute')),
    { run: true, stay: true },
  ],
  ['preferring others is nothing', {}, node('n', taint('x', 'PreferNoSchedule')), { run: true, stay: true }],
  ['unreachable', {}, node('n', taint('node.kubernetes.io/unreachable', 'NoExecute')), { run: true, stay: true }],
  ['cordoned', {}, node('n', taint('node.kubernetes.io/unschedulable', 'NoSchedule')), { run: true, stay: true }],
  [
    'without network',
    {},
    node('n', taint('node.kubernetes.io/network-unavailable', 'NoSchedule')),
    { run: false, stay: true },
  ],
  [
    'without network, which it does not need',
    { hostNetwork: true },
    node('n', taint('node.kubernetes.io/network-unavailable', 'NoSchedule')),
    { run: true, stay: true },
  ],
  [
    'required affinity',
    {
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'cpus', operator: 'Gt', values: ['4'] }] }],
          },
        },
      },
    },
    node('n', {}, { cpus: '4' }),
    { run: false, stay: false },
  ],
])('fits: %s', (_name, template, given, expected) => expect(fitOf(set(template), given)).toEqual(expected));

test('its pods are for one node, and stay whatever befalls it', () => {
  const made = podFor(set({ tolerations: [{ key: 'a', operator: 'Exists' }] }), 'n', 'hash', () => 0);
  expect(nodeOf(made)).toBe('n');
  expect(made.metadata.labels).toEqual({ app: 'ds', 'controller-revision-hash': 'hash' });
  expect(made.spec.tolerations?.map(({ key, effect }) => `${key} ${effect}`)).toEqual([
    'a undefined',
    'node.kubernetes.io/not-ready NoExecute',
    'node.kubernetes.io/unreachable NoExecute',
    'node.kubernetes.io/disk-pressure NoSchedule',
    'node.kubernetes.io/memory-pressure NoSchedule',
    'node.kubernetes.io/pid-pressure NoSchedule',
    'node.kubernetes.io/unschedulable NoSchedule',
  ]);
  // one that would let it go after a while gives way to one that does not
  const impatient = {
    key: 'node.kubernetes.io/unreachable',
    operator: 'Exists' as const,
    effect: 'NoExecute',
    tolerationSeconds: 1,
  };
  expect(
    tolerationsOf({ tolerations: [impatient] } as unknown as PodSpec).filter(({ key }) => key === impatient.key),
  ).toEqual([{ key: impatient.key, operator: 'Exists', effect: 'NoExecute' }]);
});

const meanings: Record<string, PodState> = {
  n: { ready: true },
  o: { ready: true },
  N: {},
  O: {},
  x: { phase: 'Failed', made: start - 5000 },
  X: { phase: 'Failed' },
  t: { ready: true, deleted: true },
};
/** A word per node, a letter per pod: `n` new and well, `o` old, capitals not ready, `x` failed, `X` just now, `t` terminating. */
function pods(words: readonly string[]): Pod[] {
  return words.flatMap((word, i) =>
    [...word].map((letter, j) => {
      const hash = letter.toLowerCase() === 'o' ? 'old' : 'new';
      const labels = { app: 'ds', 'controller-revision-hash': hash };
      return pod(`${letter}${i}${j || ''}`, { made: start + j * 1000, ...meanings[letter], labels, node: `n${i}` });
    }),
  );
}
const situation = (words: readonly string[], given = set()) => ({
  set: given,
  nodes: words.map((_, i) => node(`n${i}`)),
  pods: pods(words),
  hash: 'new',
  now: start,
});
function planned(words: readonly string[], rollingUpdate?: object) {
  const { create, remove } = plan(situation(words, set({}, rollingUpdate)));
  return [...create.map(one => `+${one.node}`), ...remove.map(one => `-${one.metadata.name}`)];
}
const surge = (maxSurge: number | string) => ({ maxUnavailable: 0, maxSurge });

test.each<[string, string[], string[], object?]>([
  ['every node at once', ['', '', ''], ['+n0', '+n1', '+n2']],
  ['those without', ['n', '', 'N'], ['+n1']],
  ['what terminates holds its place', ['t', ''], ['+n1']],
  ['a second one goes, the younger', ['nn'], ['-n01']],
  ['a failed one is replaced', ['x'], ['+n0', '-x0']],
  ['after a moment', ['X'], []],
  ['an update takes one at a time', ['o', 'o', 'o'], ['-o0']],
  ['waits for the new one', ['N', 'o', 'o'], []],
  ['and for one that is not there yet', ['', 'o', 'o'], ['+n0']],
  ['what is down anyway goes at once', ['O', 'o', 'O'], ['-O0', '-O2']],
  ['two at a time', ['o', 'o', 'o'], ['-o0', '-o1'], { maxUnavailable: 2 }],
  ['percent, rounded up', ['o', 'o', 'o'], ['-o0', '-o1'], { maxUnavailable: '34%' }],
  ['surging: the new one first', ['o', 'o', 'o'], ['+n0'], surge(1)],
  ['surging: waits until it is available', ['oN', 'o', 'o'], [], surge(1)],
  ['surging: then the old one goes, and the next comes', ['on', 'o', 'o'], ['+n1', '-o0'], surge(1)],
  ['surging: what is down is replaced at once', ['O', 'o', 'o'], ['+n0'], surge(1)],
  ['surging: two at a time', ['o', 'o', 'o'], ['+n0', '+n1'], surge('50%')],
  ['done', ['n', 'n'], []],
])('%s', (_name, words, expected, rollingUpdate) => expect(planned(words, rollingUpdate)).toEqual(expected));

test('never neither: one is replaced even where percent would round to none', () => {
  expect(boundsOf(set({}, { maxUnavailable: 0, maxSurge: 0 }), 3)).toEqual({ maxUnavailable: 1, maxSurge: 0 });
});

test('on delete: only what is gone is made anew', () => {
  const given = set();
  given.spec!.updateStrategy = { type: 'OnDelete' };
  expect(plan(situation(['o', ''], given))).toMatchObject({ create: [{ node: 'n1' }], remove: [] });
});

test('pods go from nodes that do not fit any more, and those for nodes that are gone', () => {
  const given = set({ nodeSelector: { a: 'b' } });
  expect(plan(situation(['n'], given)).remove).toHaveLength(1);
  const waiting = podFor(set(), 'gone', 'new', () => 0);
  expect(plan({ ...situation(['n']), pods: [waiting] }).remove).toEqual([waiting]);
});

test('what fails again and again is replaced less and less often', () => {
  const at = (failures: string, ageMs: number) => {
    const failed = pod('p', {
      phase: 'Failed',
      made: start - ageMs,
      node: 'n0',
      annotations: { 'keelson.dev/failures-in-a-row': failures },
    });
    const { create, waitMs } = plan({ ...situation(['']), pods: [failed] });
    return create[0]?.failures ?? -waitMs!;
  };
  expect(at('3', 7000)).toBe(-1000);
  expect(at('3', 8000)).toBe(4);
  expect(at('30', 899_000)).toBe(-1000);
  expect(at('30', 2_000_000)).toBe(1);
});

test('the status counts nodes', () => {
  expect(countOf(situation(['n', 'N', 'o', '', 'O']), undefined)).toMatchObject({
    desiredNumberScheduled: 5,
    currentNumberScheduled: 4,
    numberReady: 2,
    updatedNumberScheduled: 2,
    numberAvailable: 2,
    numberUnavailable: 3,
    numberMisscheduled: 0,
  });
  expect(countOf(situation(['n', 'o'], set({ nodeSelector: { a: 'b' } })), undefined)).toMatchObject({
    desiredNumberScheduled: 0,
    numberMisscheduled: 2,
  });
});

describe('reconcile', () => {
  test('a new node gets its pod', () => {
    const view = facts([set(), node('n')] as unknown as Seen[]);
    const { actions } = daemonSetController.reconcile(view, 'd/ds');
    expect(deeds(actions)).toEqual([
      expect.stringMatching(/^create ControllerRevision\/ds-/),
      expect.stringMatching(/^create Pod\/ds-/),
      'patch DaemonSet/ds/status',
    ]);
    const wakes = daemonSetController.wakes.find(({ kind }) => kind === 'Node');
    expect(wakes?.keys(node('n') as unknown as Seen, false, view.view)).toEqual(['d/ds']);
  });
});
