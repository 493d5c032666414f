/** A node that was not heard of finds its pods said to be not ready: it is told so, and tells again what is true. */
import { expect, test } from 'vitest';
import { isOverruled } from '../../agent/pods/overruled.js';
import type { Pod, PodStatus } from '../../src/kube/pod.js';
import { sameForNode } from '../../src/link/interest.js';

type Truth = 'True' | 'False';
const status = (ready: Truth, containers: Truth): PodStatus => ({
  conditions: [
    { type: 'Ready', status: ready },
    { type: 'ContainersReady', status: containers },
  ],
});
const pod = (given: PodStatus): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web' },
  spec: { containers: [] },
  status: given,
});

test('only what the node has told as ready, and the API shows otherwise, is told again', () => {
  expect(isOverruled(status('True', 'True'), status('False', 'True'))).toBe(true);
  expect(isOverruled(status('True', 'True'), status('True', 'True'))).toBe(false);
  // an echo of what the node itself said before
  expect(isOverruled(status('True', 'True'), status('False', 'False'))).toBe(false);
  expect(isOverruled(status('False', 'True'), status('False', 'True'))).toBe(false);
  expect(isOverruled(undefined, status('False', 'True'))).toBe(false);
});

test('its node hears of it, and of no other change of its own status', () => {
  expect(sameForNode(pod(status('True', 'True')), pod(status('False', 'True')))).toBe(false);
  expect(sameForNode(pod(status('False', 'False')), pod(status('True', 'True')))).toBe(true);
});
