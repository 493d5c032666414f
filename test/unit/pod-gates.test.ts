/** What may change of a pod that its gates hold back. */
import { expect, test } from 'vitest';
import { validatePodUpdate } from '../../src/api/pod/validate.js';
import type { PodSpec } from '../../src/kube/pod.js';
import { type PodGiven, podOf } from '../helpers/scheduling.js';

const gate = (name: string) => ({ name });
const update = (before: PodGiven, after: PodGiven): string[] =>
  validatePodUpdate(podOf('p', after), podOf('p', before)).map(({ field, message }) => `${field}: ${message}`);

const affinity = (...terms: object[]): NonNullable<PodSpec['affinity']> => ({
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms as never },
  },
});
const has = (...keys: string[]) => ({ matchExpressions: keys.map(key => ({ key, operator: 'Exists' })) });

test('gates go, none come', () => {
  const gated = { schedulingGates: [gate('a/b'), gate('c/d')] };
  expect(update(gated, { schedulingGates: [gate('c/d')] })).toEqual([]);
  expect(update(gated, {})).toEqual([]);
  expect(update({}, { schedulingGates: [gate('a/b')] })[0]).toBe(
    "spec.schedulingGates: Forbidden: only deletion is allowed, but found new scheduling gate 'a/b'",
  );
});

test('where it may run gets narrower, as long as it is held back', () => {
  const gated = { schedulingGates: [gate('a/b')], nodeSelector: { x: '1' } };
  expect(update(gated, { ...gated, nodeSelector: { x: '1', y: '2' } })).toEqual([]);
  expect(update(gated, { ...gated, nodeSelector: { x: '2' } })).toHaveLength(1);
  expect(update({ nodeSelector: { x: '1' } }, { nodeSelector: { x: '1', y: '2' } })).toHaveLength(1);
  const held = { schedulingGates: [gate('a/b')], affinity: affinity(has('a')) };
  expect(update({ schedulingGates: [gate('a/b')] }, held)).toEqual([]);
  expect(update(held, { ...held, affinity: affinity(has('a', 'b')) })).toEqual([]);
  expect(update(held, { ...held, affinity: affinity(has('a'), has('b')) })).toHaveLength(1);
  expect(update(held, { schedulingGates: held.schedulingGates })).toHaveLength(1);
});
