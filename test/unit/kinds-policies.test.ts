/** What Jobs with policies, and Secrets with a type, may not say. */
import { expect, test } from 'vitest';
import { job } from '../../src/api/kinds/job.js';
import { secret } from '../../src/api/kinds/secret.js';
import { made, problems } from '../helpers/kinds.js';

const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'x' }] } };
const jobProblems = (spec: object): string[] => problems(job, made(job, { spec: { template, ...spec } }));
const failing = (...rules: object[]): string[] => jobProblems({ podFailurePolicy: { rules } });
const codes = (operator: string, values: number[], containerName?: string) => ({
  action: 'FailJob',
  onExitCodes: { operator, values, ...(containerName && { containerName }) },
});

test('a failure policy', () => {
  const rules = 'spec.podFailurePolicy.rules[0]';
  expect(failing(codes('In', [1, 3], 'c'), codes('NotIn', [0]))).toEqual([]);
  expect(failing(codes('In', [0, 3, 3]))).toEqual([
    `${rules}.onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator`,
    `${rules}.onExitCodes.values[2]: Duplicate value: 3`,
  ]);
  expect(failing(codes('In', []))[0]).toContain('at least one value is required');
  expect(failing(codes('In', [1], 'other'))[0]).toContain('must be one of the container or initContainer names');
  const condition = { type: 'DisruptionTarget', status: 'True' };
  expect(failing({ ...codes('In', [1]), onPodConditions: [condition] })[0]).toContain('specifying both');
  expect(failing({ action: 'Ignore' })[0]).toContain('specifying one of OnExitCodes and OnPodConditions');
  expect(failing({ action: 'Ignore', onPodConditions: [{ type: 'a b', status: 'X' }] })).toHaveLength(2);
  expect(failing({ ...codes('In', [1]), action: 'FailIndex' })[0]).toContain('requires the backoffLimitPerIndex');
});

test('a success policy', () => {
  const indexed = { completionMode: 'Indexed', completions: 3, parallelism: 1 };
  const of = (...rules: object[]): string[] => jobProblems({ ...indexed, successPolicy: { rules } });
  expect(of({ succeededIndexes: '0,1-2', succeededCount: 2 })).toEqual([]);
  expect(of()[0]).toContain('spec.successPolicy.rules: Required value');
  expect(of({})[0]).toContain('at least one of succeededCount or succeededIndexes');
  expect(of({ succeededCount: 9 })[0]).toContain('less than or equal to 3');
  for (const text of ['5-1', 'a', '1,1', '0-3']) expect(of({ succeededIndexes: text })).toHaveLength(1);
  expect(jobProblems({ successPolicy: { rules: [{ succeededCount: 1 }] } })[0]).toContain('requires indexed');
});

test('secrets with a type', () => {
  const of = (type: string, stringData: object, annotations = {}): string[] =>
    problems(secret, made(secret, { type: `kubernetes.io/${type}`, stringData, metadata: { annotations } }));
  expect(of('dockerconfigjson', { '.dockerconfigjson': '{"auths":{}}' })).toEqual([]);
  expect(of('dockerconfigjson', { '.dockerconfigjson': 'my-password' })).toEqual([
    'data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": must be a JSON object',
  ]);
  expect(of('dockercfg', { '.dockercfg': '1' })).toHaveLength(1);
  expect(of('basic-auth', { username: 'x' })).toEqual([]);
  expect(of('basic-auth', {})).toEqual(['data[username]: Required value', 'data[password]: Required value']);
  expect(of('service-account-token', {})[0]).toContain('kubernetes.io/service-account.name');
  expect(of('service-account-token', {}, { 'kubernetes.io/service-account.name': 'default' })).toEqual([]);
});
