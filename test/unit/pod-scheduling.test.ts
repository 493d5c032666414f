/** What is wrong with a pod's wishes about its node and its end, in Kubernetes' words. */
import { expect, test } from 'vitest';
import { validatePod } from '../../src/api/pod/validate.js';
import { podOf } from '../helpers/scheduling.js';

const problems = (spec: object): string[] =>
  validatePod(podOf('p', spec as never)).map(({ field, message }) => `${field}: ${message}`);

const must = 'requiredDuringSchedulingIgnoredDuringExecution';
const may = 'preferredDuringSchedulingIgnoredDuringExecution';
const nodes = (...terms: object[]) => ({ affinity: { nodeAffinity: { [must]: { nodeSelectorTerms: terms } } } });
const expression = (operator: string, values?: string[]) =>
  nodes({ matchExpressions: [{ key: 'a', operator, ...(values && { values }) }] });

test('node affinity', () => {
  const terms = `spec.affinity.nodeAffinity.${must}.nodeSelectorTerms`;
  const values = `${terms}[0].matchExpressions[0].values`;
  expect(problems(nodes())).toEqual([`${terms}: Required value: must have at least one node selector term`]);
  expect(problems(expression('In', ['x']))).toEqual([]);
  expect(problems(expression('In'))[0]).toContain(`${values}: Required value: must be specified when \`operator\``);
  expect(problems(expression('Exists', ['x']))[0]).toContain(`${values}: Forbidden: may not be specified`);
  expect(problems(expression('Gt', ['1', '2']))[0]).toContain(`${values}: Required value: must be specified single`);
  expect(problems(expression('Near', ['x']))[0]).toContain('"Near": not a valid selector operator');
  expect(problems(nodes({ matchFields: [{ key: 'x', operator: 'In', values: ['a', 'b'] }] }))).toHaveLength(2);
  const preferred = { affinity: { nodeAffinity: { [may]: [{ weight: 0, preference: {} }] } } };
  expect(problems(preferred)[0]).toContain('[0].weight: Invalid value: 0: must be in the range 1-100');
});

test('pod affinity', () => {
  const term = { labelSelector: { matchLabels: { a: 'b' } }, topologyKey: 'zone' };
  const required = (one: object) => ({ affinity: { podAffinity: { [must]: [one] } } });
  expect(problems(required(term))).toEqual([]);
  expect(problems(required({ ...term, topologyKey: '' }))[0]).toContain(
    'topologyKey: Required value: can not be empty',
  );
  const bad = { matchExpressions: [{ key: 'a', operator: 'Like' }] };
  expect(problems(required({ ...term, labelSelector: bad }))[0]).toContain('not a valid selector operator');
  const anti = { affinity: { podAntiAffinity: { [may]: [{ weight: 101, podAffinityTerm: term }] } } };
  expect(problems(anti)).toHaveLength(1);
});

test('spreading, gates, tolerations for a time', () => {
  const spread = { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway' };
  const of = (...all: object[]) => problems({ topologySpreadConstraints: all });
  expect(of(spread)).toEqual([]);
  expect(of(spread, spread)[0]).toContain('Duplicate value: "{zone, ScheduleAnyway}"');
  expect(of({ ...spread, maxSkew: 0 })[0]).toContain('maxSkew: Invalid value: 0: must be greater than zero');
  expect(of({ ...spread, whenUnsatisfiable: 'X' })[0]).toContain('supported values: "DoNotSchedule", "ScheduleAnyway"');
  expect(of({ ...spread, minDomains: 2 })[0]).toContain('whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway');
  expect(problems({ schedulingGates: [{ name: 'a b' }, { name: 'x' }, { name: 'x' }] })).toHaveLength(2);
  expect(problems({ readinessGates: [{ conditionType: 'a b' }] })).toHaveLength(1);
  const toleration = { key: 'a', operator: 'Exists', effect: 'NoSchedule', tolerationSeconds: 3 };
  expect(problems({ tolerations: [toleration] })).toEqual([
    'spec.tolerations[0].effect: Invalid value: "NoSchedule": effect must be \'NoExecute\' when `tolerationSeconds` is set',
  ]);
});

test('a hook that does nothing', () => {
  const containers = (lifecycle: object) => ({ containers: [{ name: 'c', image: 'x', lifecycle }] });
  expect(problems(containers({ preStop: { exec: { command: ['true'] } } }))).toEqual([]);
  expect(problems(containers({ preStop: {} }))).toEqual([
    'spec.containers[0].lifecycle.preStop: Required value: must specify a handler type',
  ]);
});
