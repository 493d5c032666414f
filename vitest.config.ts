import { defineConfig } from 'vitest/config';

/** One project per tier; those that touch the kernel run one file at a time, so that counts of links and cgroups are theirs. */
const project = (name: string, timeoutMs: number, serial: boolean) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    pool: 'forks' as const,
    fileParallelism: !serial,
  },
});

export default defineConfig({
  test: {
    projects: [
      project('unit', 20_000, false),
      project('host', 120_000, true),
      project('e2e', 120_000, true),
      project('dashboard', 60_000, true),
    ],
  },
});
