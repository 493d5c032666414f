import { describe, expect, test } from 'vitest';
import { hasStorageLimit, storageExcess } from '../../agent/stats/storage-limits.js';
import type { Pod } from '../../src/kube/pod.js';

const mebi = 1 << 20;
const podOf = (limits: (string | undefined)[], sizeLimit?: string, medium?: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p' },
  spec: {
    containers: limits.map((limit, i) => ({
      name: `c${i}`,
      resources: { limits: limit === undefined ? {} : { 'ephemeral-storage': limit } },
    })),
    volumes: [{ name: 'v', emptyDir: { ...(sizeLimit && { sizeLimit }), ...(medium && { medium }) } }],
  },
});
const usage = (containers: number[], volume = 0) => ({
  containers: new Map(containers.map((size, i) => [`c${i}`, size * mebi])),
  volumes: new Map([['v', volume * mebi]]),
});

describe('local storage', () => {
  test('measured only where there is a limit', () => {
    expect(hasStorageLimit(podOf([undefined]))).toBe(false);
    expect(hasStorageLimit(podOf(['1Mi']))).toBe(true);
    expect(hasStorageLimit(podOf([undefined], '1Mi'))).toBe(true);
    expect(hasStorageLimit(podOf([undefined], '1Mi', 'Memory'))).toBe(false);
  });

  test('in kubelet’s order and words', () => {
    expect(storageExcess(podOf(['10Mi'], '1Mi'), usage([20], 2))).toBe(
      'Usage of EmptyDir volume "v" exceeds the limit "1Mi". ',
    );
    expect(storageExcess(podOf(['10Mi']), usage([20]))).toBe(
      'Pod ephemeral local storage usage exceeds the total limit of containers 10Mi. ',
    );
    expect(storageExcess(podOf(['10Mi', '20Mi']), usage([11, 1]))).toBe(
      'Container c0 exceeded its local ephemeral storage limit "10Mi". ',
    );
    expect(storageExcess(podOf(['10Mi', undefined]), usage([5, 1], 6))).toMatch(/^Pod ephemeral local storage/);
  });

  test('at the limit is within it', () => {
    expect(storageExcess(podOf(['10Mi'], '1Mi'), usage([9], 1))).toBeUndefined();
  });
});
