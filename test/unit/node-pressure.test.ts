import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decide, noPressure, type PressureState } from '../../agent/eviction/decide.js';
import { bytesToFree, collectable, enough, remember } from '../../agent/eviction/image-gc.js';
import { memoryMeasured, pidsMeasured } from '../../agent/eviction/measure.js';
import { type Candidate, evictionOrder, isSpared, requestOf } from '../../agent/eviction/rank.js';
import { refusedByPressure } from '../../agent/eviction/refuse.js';
import { defaultHard, type Measurements, type Threshold, thresholdsOf } from '../../agent/eviction/thresholds.js';
import { bytesText, evictionMessage, pressureCondition } from '../../agent/eviction/words.js';
import { pressureSettings } from '../../src/cli/pressure-settings.js';
import type { Pod } from '../../src/kube/pod.js';

const mebi = 1 << 20;
const flags = { hard: '', soft: '', softGrace: new Map(), minimumReclaim: '' };
const hard = (text: string, minimumReclaim = '') => thresholdsOf({ ...flags, hard: text, minimumReclaim });
const options = (thresholds: Threshold[], transitionMs = 0) => ({ thresholds, transitionMs, maxPodGraceMs: 0 });
const memory = (available: number): Measurements => ({ 'memory.available': { available, capacity: 1000 * mebi } });

describe('decide', () => {
  test('a hard threshold counts at once, and only below it', () => {
    const at = (available: number) => decide(memory(available), options(hard('memory.available<100Mi')), noPressure, 0);
    expect(at(100 * mebi)).toMatchObject({ conditions: [], reclaim: undefined });
    expect(at(100 * mebi - 1)).toMatchObject({
      conditions: ['MemoryPressure'],
      reclaim: { signal: 'memory.available' },
    });
  });

  test('a soft one says so at once, and evicts after its grace without a break', () => {
    const softGrace = new Map([['memory.available', 1000] as const]);
    const soft = options(thresholdsOf({ ...flags, soft: 'memory.available<20%', softGrace }));
    let { state } = decide(memory(199 * mebi), soft, noPressure, 0);
    const later = decide(memory(199 * mebi), soft, state, 999);
    expect(later).toMatchObject({ conditions: ['MemoryPressure'], reclaim: undefined });
    expect(decide(memory(199 * mebi), soft, later.state, 1000).reclaim?.signal).toBe('memory.available');
    ({ state } = decide(memory(201 * mebi), soft, later.state, 999));
    expect(decide(memory(199 * mebi), soft, state, 1000).reclaim).toBeUndefined();
  });

  test('what was met is over when the minimum reclaim is free, too', () => {
    const least = options(hard('memory.available<100Mi', 'memory.available=50Mi'));
    const { state } = decide(memory(99 * mebi), least, noPressure, 0);
    expect(decide(memory(149 * mebi), least, state, 1).reclaim).toBeDefined();
    expect(decide(memory(150 * mebi), least, state, 1).reclaim).toBeUndefined();
    expect(decide(memory(149 * mebi), least, noPressure, 1).reclaim).toBeUndefined();
  });

  test('a condition stays for the transition period', () => {
    const slow = options(hard('memory.available<100Mi'), 300);
    const { state } = decide(memory(1), slow, noPressure, 0);
    expect(decide(memory(500 * mebi), slow, state, 299)).toMatchObject({
      conditions: ['MemoryPressure'],
      reclaim: undefined,
    });
    expect(decide(memory(500 * mebi), slow, state, 300).conditions).toEqual([]);
  });

  test('memory comes before disks, hard before soft; what cannot be measured stays as it was', () => {
    const softGrace = new Map([['memory.available', 0] as const]);
    const both = thresholdsOf({
      ...flags,
      hard: 'nodefs.available<10%,memory.available<1Mi',
      soft: 'memory.available<2Mi',
      softGrace,
    });
    const measured = { ...memory(1), 'nodefs.available': { available: 1, capacity: 100 } };
    const first = decide(measured, options(both), noPressure, 0);
    expect(first.reclaim).toMatchObject({ signal: 'memory.available', graceMs: undefined });
    expect(first.conditions).toEqual(['MemoryPressure', 'DiskPressure']);
    expect(decide({}, options(both), first.state, 1).met).toHaveLength(3);
    expect(decide({}, options(both), noPressure, 1).met).toEqual([]);
  });

  test('over any history: whoever must go, the node is under pressure; and pressure ends when all is well', () => {
    const settings = options(
      thresholdsOf({
        hard: 'memory.available<100Mi,pid.available<10%',
        soft: 'memory.available<200Mi,nodefs.inodesFree<5%',
        softGrace: new Map([
          ['memory.available', 50],
          ['nodefs.inodesFree', 100],
        ] as const),
        minimumReclaim: 'memory.available=10Mi',
      }),
      200,
    );
    const value = fc.record({ available: fc.nat(300 * mebi), capacity: fc.constant(300 * mebi) });
    const look = fc.record(
      { 'memory.available': value, 'pid.available': value, 'nodefs.inodesFree': value },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(look, fc.nat(150)), { maxLength: 40 }), history => {
        let state: PressureState = noPressure;
        let now = 0;
        for (const [measured, ms] of history) {
          now += ms;
          const verdict = decide(measured as Measurements, settings, state, now);
          ({ state } = verdict);
          expect(verdict.met.includes(verdict.reclaim as Threshold)).toBe(verdict.met.length > 0);
          if (verdict.reclaim) expect(verdict.conditions.length).toBeGreaterThan(0);
          const memoryNow = (measured as Measurements)['memory.available'];
          if (memoryNow && memoryNow.available < 100 * mebi) expect(verdict.conditions).toContain('MemoryPressure');
        }
        const fine = { available: 300 * mebi, capacity: 300 * mebi };
        const well = { 'memory.available': fine, 'pid.available': fine, 'nodefs.inodesFree': fine };
        ({ state } = decide(well, settings, state, now));
        expect(decide(well, settings, state, now + 200)).toMatchObject({ conditions: [], met: [] });
      }),
    );
  });
});

interface Asked {
  readonly priority?: number;
  readonly request?: string;
  readonly used?: number;
  readonly containers?: Record<string, number>;
  readonly spec?: object;
}
const candidate = (name: string, { priority = 0, request, used = 0, containers = {}, spec }: Asked): Candidate => ({
  pod: {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, uid: name },
    spec: {
      containers: [{ name: 'c', ...(request && { resources: { requests: { memory: request } } }) }],
      priority,
      ...spec,
    } as Pod['spec'],
  },
  usage: { total: used, containers: new Map(Object.entries(containers)) },
});
const names = (list: readonly Candidate[]) => list.map(({ pod }) => pod.metadata.name);

describe('the order of eviction', () => {
  test('over its request first, then by priority, then by what is beyond the request', () => {
    const pods = [
      candidate('within', { request: '100Mi', used: 90 * mebi }),
      candidate('little', { used: 10 * mebi }),
      candidate('much', { used: 50 * mebi }),
      candidate('important', { priority: 1000, used: 500 * mebi }),
      candidate('over', { request: '100Mi', used: 130 * mebi }),
      candidate('low within', { request: '100Mi', used: 1, priority: -5 }),
      candidate('critical', { priority: 2_000_001_000, used: 900 * mebi }),
    ];
    expect(names(evictionOrder(pods, 'memory.available'))).toEqual([
      'much',
      'over',
      'little',
      'important',
      'low within',
      'within',
    ]);
  });

  test('for processes the priority decides, then their number', () => {
    const pods = [
      candidate('few', { used: 2 }),
      candidate('many', { used: 9 }),
      candidate('last', { priority: 1, used: 99 }),
    ];
    expect(names(evictionOrder(pods, 'pid.available'))).toEqual(['many', 'few', 'last']);
  });

  test('the order is total: none is lost, none within its request before one beyond it', () => {
    const any = fc.record({
      used: fc.nat(200),
      priority: fc.integer({ min: -2, max: 2 }),
      request: fc.constantFrom('0', '50', '100'),
    });
    fc.assert(
      fc.property(fc.array(any, { maxLength: 12 }), list => {
        const pods = list.map((asked, i) => candidate(`p${i}`, asked));
        const order = evictionOrder(pods, 'memory.available');
        expect(names(order).toSorted()).toEqual(names(pods).toSorted());
        const beyond = order.map(c => c.usage.total > requestOf(c.pod, 'memory.available'));
        expect(beyond.lastIndexOf(true)).toBeLessThanOrEqual(beyond.filter(Boolean).length - 1);
      }),
    );
  });

  test('what the node lives on is spared', () => {
    expect(isSpared(candidate('c', { spec: { priorityClassName: 'system-cluster-critical' } }).pod)).toBe(true);
    expect(isSpared(candidate('c', { priority: 1_000_000_000 }).pod)).toBe(false);
  });
});

describe('words', () => {
  test('an eviction, as kubelet tells it', () => {
    const [threshold] = hard('memory.available<100Mi') as [Threshold];
    const about = { met: [threshold], measured: memory(60 * mebi) };
    const chosen = candidate('p', { used: 40 * mebi, containers: { c: 40 * mebi } });
    expect(evictionMessage(threshold, about, chosen)).toBe(
      'The node was low on resource: memory. Threshold quantity: 100Mi, available: 60Mi. ' +
        'Container c was using 40Mi, request is 0, has larger consumption of memory. ',
    );
    const within = candidate('p', { request: '64Mi', containers: { c: 40 * mebi } });
    expect(evictionMessage(threshold, about, within)).toBe(
      'The node was low on resource: memory. Threshold quantity: 100Mi, available: 60Mi. ',
    );
  });

  test.each([
    [0, '0'],
    [40 * mebi, '40Mi'],
    [1536, '1536'],
    [3 * 512 * 1024, '1536Ki'],
    [1000, '1000'],
  ])('%d bytes', (bytes, text) => {
    expect(bytesText(bytes)).toBe(text);
  });

  test('conditions of the node', () => {
    expect(pressureCondition('DiskPressure', true)).toEqual({
      type: 'DiskPressure',
      status: 'True',
      reason: 'KubeletHasDiskPressure',
      message: 'kubelet has disk pressure',
    });
    expect(pressureCondition('PIDPressure', false).reason).toBe('KubeletHasSufficientPID');
  });
});

describe('what a node under pressure takes', () => {
  const bestEffort = candidate('b', {}).pod;
  const burstable = candidate('b', { request: '1Mi' }).pod;
  test('under memory pressure, who has asked for memory', () => {
    expect(refusedByPressure(burstable, ['MemoryPressure'])).toBeUndefined();
    expect(refusedByPressure(bestEffort, ['MemoryPressure'])).toEqual({
      reason: 'Evicted',
      message: 'The node had condition: [MemoryPressure]. ',
    });
    const tolerations = [{ key: 'node.kubernetes.io/memory-pressure', operator: 'Exists' }];
    expect(refusedByPressure(candidate('t', { spec: { tolerations } }).pod, ['MemoryPressure'])).toBeUndefined();
  });
  test('of a full disk, nobody but the critical', () => {
    expect(refusedByPressure(burstable, ['MemoryPressure', 'DiskPressure'])?.message).toBe(
      'The node had condition: [MemoryPressure DiskPressure]. ',
    );
    expect(refusedByPressure(candidate('c', { priority: 2e9 }).pod, ['DiskPressure'])).toBeUndefined();
    expect(refusedByPressure(bestEffort, [])).toBeUndefined();
  });
});

describe('images', () => {
  const gc = { highPercent: 85, lowPercent: 80, minimumAgeMs: 100, maximumAgeMs: 0 };
  test('down to the low mark from the high one on', () => {
    expect(bytesToFree({ capacity: 1000, available: 151 }, gc)).toBe(49);
    expect(bytesToFree({ capacity: 1000, available: 160 }, gc)).toBe(0);
    expect(bytesToFree({ capacity: 1000, available: 100 }, gc)).toBe(100);
    expect(bytesToFree({ capacity: 1000, available: 0 }, { ...gc, highPercent: 100 })).toBe(0);
  });
  test('unused longest first; never one in use, nor one that has just come', () => {
    const there = ['a', 'b', 'c', 'd'].map(id => ({ id, sizeBytes: 10 }));
    let known = remember(new Map(), there.slice(0, 3), new Set(['b', 'c']), 0);
    known = remember(known, there.slice(0, 3), new Set(['c']), 50);
    known = remember(known, there, new Set(['a']), 200);
    const free = collectable([...known.values()], 200, 100);
    expect(free.map(({ id }) => id)).toEqual(['b', 'c']);
    expect(enough(free, 5).map(({ id }) => id)).toEqual(['b']);
    expect(enough(free, 0)).toEqual([]);
    expect(remember(known, [], new Set(), 300).size).toBe(0);
  });
});

describe('measuring', () => {
  test('memory as kubelet counts it', () => {
    const text =
      'MemTotal:       1000 kB\nMemFree:         200 kB\nMemAvailable:    900 kB\nInactive(file):   300 kB\n';
    expect(memoryMeasured(text)).toEqual({ capacity: 1_024_000, available: 512_000 });
    expect(memoryMeasured('')).toBeUndefined();
  });
  test('processes', () => {
    expect(pidsMeasured('0.1 0.2 0.3 2/150 999', [4_194_304, 1000])).toEqual({ capacity: 1000, available: 850 });
    expect(pidsMeasured('', [1])).toBeUndefined();
  });
});

describe('flags', () => {
  test("the kubelet's defaults", () => {
    const { eviction, imageGc, shutdown } = pressureSettings({});
    expect(eviction).toEqual({ thresholds: hard(defaultHard), transitionMs: 300_000, maxPodGraceMs: 0 });
    expect(imageGc).toEqual({ highPercent: 85, lowPercent: 80, minimumAgeMs: 120_000, maximumAgeMs: 0 });
    expect(shutdown).toEqual({ graceMs: 0, criticalMs: 0 });
  });
  test('0% and 100% are no threshold, an empty list is none at all', () => {
    expect(hard('memory.available<0%,nodefs.available<100%')).toEqual([]);
    expect(pressureSettings({ evictionHard: '' }).eviction.thresholds).toEqual([]);
  });
  test.each([
    [{ evictionHard: 'memory.free<1Mi' }, '--eviction-hard "memory.free<1Mi": unknown signal "memory.free"; allowed: '],
    [{ evictionHard: 'memory.available' }, '--eviction-hard "memory.available": must be SIGNAL<VALUE'],
    [{ evictionHard: 'memory.available<-1' }, '--eviction-hard "-1": must be a quantity above 0'],
    [{ evictionHard: 'memory.available<101%' }, '--eviction-hard "101%": must be from 0% to 100%'],
    [
      { evictionHard: 'pid.available<1,pid.available<2' },
      '--eviction-hard "pid.available<2": pid.available is there twice',
    ],
    [{ evictionSoft: 'memory.available<1Gi' }, '--eviction-soft "memory.available<1Gi": a grace period must be given'],
    [{ evictionSoftGracePeriod: 'memory.available=x' }, '--eviction-soft-grace-period "x": must be a duration'],
    [{ imageGcLowThreshold: 90 }, '--image-gc-low-threshold "90": must be below --image-gc-high-threshold 85'],
    [{ shutdownGracePeriodCriticalPods: '1s' }, '--shutdown-grace-period-critical-pods "1s": must not exceed'],
  ])('%j', (given, message) => {
    expect(() => pressureSettings(given)).toThrow(message);
  });
});
