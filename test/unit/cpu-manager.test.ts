import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  assignCpus,
  type CpuAssignments,
  type CpuTopology,
  cpuWishes,
  keepPods,
  sharedCpus,
} from '../../agent/cgroups/assign-cpus.js';
import { formatCpuList, parseCpuList } from '../../agent/cgroups/cpu-list.js';
import { CpuManager } from '../../agent/cgroups/cpu-manager.js';
import type { Pod } from '../../src/kube/pod.js';

/** Four cores of two threads, as a common machine numbers them. */
const topology: CpuTopology = {
  cores: [
    [0, 4],
    [1, 5],
    [2, 6],
    [3, 7],
  ],
  reserved: [0],
};
const given = (answer: ReturnType<typeof assignCpus>): CpuAssignments => {
  if (!('assignments' in answer)) throw new Error(`refused: ${answer.requested} of ${answer.available}`);
  return answer.assignments;
};
const podOf = (uid: string, cpu: string, qosClass: 'Guaranteed' | 'Burstable' = 'Guaranteed'): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: uid, uid },
  spec: {
    containers: [{ name: 'c', resources: { limits: { cpu, memory: '1Gi' }, requests: { cpu, memory: '1Gi' } } }],
  },
  status: { qosClass },
});

describe('lists of CPUs', () => {
  test.each([
    ['0-3,8', [0, 1, 2, 3, 8]],
    ['', []],
    ['5\n', [5]],
    ['2,0-1,1', [0, 1, 2]],
  ])('%j', (text, cpus) => {
    expect(parseCpuList(text)).toEqual(cpus);
  });
  test.each(['a', '3-1', '-1', '1-', '1 2'])('%j is none', text => {
    expect(() => parseCpuList(text)).toThrow(RangeError);
  });
  test('there and back', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 300 })), cpus => {
        expect(parseCpuList(formatCpuList(cpus))).toEqual([...cpus].sort((a, b) => a - b));
      }),
    );
  });
});

describe('who gets CPUs of his own', () => {
  test.each([
    ['Guaranteed', '2', 2],
    ['Guaranteed', '2000m', 2],
    ['Guaranteed', '1500m', 0],
    ['Burstable', '2', 0],
  ] as const)('%s with %s: %i', (qos, cpu, count) => {
    expect(cpuWishes(podOf('u', cpu, qos)).map(w => w.count)).toEqual(count === 0 ? [] : [count]);
  });

  test('whole cores first; then a core that is broken already', () => {
    const two = given(assignCpus(topology, {}, [{ key: 'a/c', count: 2 }]));
    expect(two['a/c']).toEqual([1, 5]);
    const three = given(assignCpus(topology, two, [{ key: 'b/c', count: 1 }]));
    expect(three['b/c']).toEqual([4]);
    expect(sharedCpus(topology, three)).toEqual([0, 2, 3, 6, 7]);
  });

  test('too many are refused with the numbers, and the earlier ones keep theirs', () => {
    expect(assignCpus(topology, {}, [{ key: 'a/c', count: 8 }])).toEqual({ requested: 8, available: 7 });
  });

  test('through any history: none twice, none reserved, as many as asked, and somebody shares', () => {
    const topologies = fc.record({ cores: fc.integer({ min: 1, max: 8 }), threads: fc.integer({ min: 1, max: 2 }) });
    const step = fc.record({ pod: fc.integer({ min: 0, max: 5 }), count: fc.integer({ min: 0, max: 6 }) });
    fc.assert(
      fc.property(topologies, fc.array(step, { maxLength: 30 }), ({ cores, threads }, steps) => {
        const machine: CpuTopology = {
          cores: Array.from({ length: cores }, (_, i) => Array.from({ length: threads }, (_, t) => i + t * cores)),
          reserved: [0],
        };
        let taken: CpuAssignments = {};
        for (const { pod, count } of steps) {
          const key = `p${pod}/c`;
          if (count === 0 || taken[key]) {
            taken = keepPods(taken, new Set([0, 1, 2, 3, 4, 5].filter(p => p !== pod).map(p => `p${p}`)));
            expect(taken[key]).toBeUndefined();
            continue;
          }
          const answer = assignCpus(machine, taken, [{ key, count }]);
          if ('assignments' in answer) {
            for (const [other, cpus] of Object.entries(taken)) expect(answer.assignments[other]).toEqual(cpus);
            taken = answer.assignments;
            expect(taken[key]).toHaveLength(count);
          } else expect(answer.available).toBeLessThan(count);
          const all = Object.values(taken).flat();
          expect(new Set(all).size).toBe(all.length);
          expect(all).not.toContain(0);
          const everybody = [...all, ...sharedCpus(machine, taken)].sort((a, b) => a - b);
          expect(everybody).toEqual(machine.cores.flat().sort((a, b) => a - b));
        }
      }),
    );
  });
});

describe('remembered', () => {
  let directory = '';
  const problems: string[] = [];
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'kt-cpus-'));
    problems.length = 0;
  });
  afterEach(() => rmSync(directory, { recursive: true }));
  const manager = (of = topology) => new CpuManager(of, join(directory, 'cpus.json'), text => problems.push(text));

  test('a new agent knows who has which; of another machine it believes nothing', () => {
    const first = manager();
    expect(first.commit(given(first.decide(podOf('u', '2'))))).toBe(true);
    const second = manager();
    expect([second.cpusOf(podOf('u', '2'), 'c'), second.shared()]).toEqual(['1,5', '0,2-4,6-7']);
    expect(manager({ ...topology, reserved: [1] }).shared()).toBe('0-7');
    expect(second.keep(new Set())).toBe(true);
    expect(manager().shared()).toBe('0-7');
    expect(problems).toEqual([]);
  });

  test('what cannot be read is told, and nobody has anything', () => {
    writeFileSync(join(directory, 'cpus.json'), '{"assignm');
    expect(manager().shared()).toBe('0-7');
    expect(problems[0]).toMatch(/cpus\.json: cannot be read/);
  });
});
