/** A node that refuses a pod is not asked again and again without a pause. */
import { expect, test } from 'vitest';
import { pauseAfterRefusals } from '../../src/controllers/replicas/refused.js';
import type { Pod } from '../../src/kube/pod.js';
import { timestamp } from '../../src/kube/time.js';
import { object, start } from '../helpers/facts.js';

const refused = (secondsAgo: number, status: object = {}): Pod =>
  object('Pod', `p${secondsAgo}`, 'n', {
    metadata: { creationTimestamp: timestamp(start - secondsAgo * 1000) },
    status: { phase: 'Failed', reason: 'UnenforceableLimits', ...status },
  }) as unknown as Pod;

test('each pause is as long as the refusals have gone on, from a second to five minutes', () => {
  expect(pauseAfterRefusals([], start)).toBe(0);
  expect(pauseAfterRefusals([refused(0)], start)).toBe(1000);
  expect(pauseAfterRefusals([refused(1)], start)).toBe(0);
  expect(pauseAfterRefusals([refused(0), refused(8), refused(4)], start)).toBe(8000);
  expect(pauseAfterRefusals([refused(3), refused(11)], start)).toBe(5000);
  expect(pauseAfterRefusals([refused(0), refused(9000)], start)).toBe(300_000);
});

test('a pod that ran and failed is replaced at once', () => {
  const ran = refused(0, { reason: 'Error', containerStatuses: [{ name: 'c' }] });
  expect(pauseAfterRefusals([ran, refused(0, { reason: undefined }), refused(0, { phase: 'Running' })], start)).toBe(0);
});
