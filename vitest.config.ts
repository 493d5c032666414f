import { defineConfig } from 'vitest/config';

/**
 * One project per tier. Those that touch this machine's kernel run one file at a time, so that counts of links and cgroups are
 * theirs; whole clusters have namespaces of their own, and wait half of the time: two at once.
 */
const project = (name: string, timeoutMs: number, groupOrder: number, workers?: number) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    pool: 'forks' as const,
    // tiers that have another number of workers cannot run side by side
    sequence: { groupOrder },
    fileParallelism: workers !== 1,
    ...(workers !== undefined && { maxWorkers: workers }),
  },
});

export default defineConfig({
  test: {
    projects: [
      project('unit', 20_000, 0),
      project('host', 120_000, 1, 1),
      project('e2e', 120_000, 2, 2),
      project('dashboard', 60_000, 3, 1),
    ],
  },
});
