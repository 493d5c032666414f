/** What is known of a running container beyond that it runs, and what a new agent must know of it. */
import { join } from 'node:path';
import { writeFileAtomic } from '../../src/base/atomic-file.js';
import type { Container } from '../../src/kube/pod.js';
import type { LiveRun } from './facts.js';
import { attemptDirectory, type PodPaths } from './paths.js';
import { readRecord } from './records.js';

export type Health = Pick<LiveRun, 'starting' | 'started' | 'ready'>;

/** Of a container that has just been started. */
export function freshHealth(container: Container | undefined): Health {
  return {
    ...(container?.lifecycle?.postStart && { starting: true }),
    ...(container?.startupProbe && { started: false }),
    ...(container?.readinessProbe && { ready: false }),
  };
}

const file = (paths: PodPaths, name: string, attempt: number): string =>
  join(attemptDirectory(paths, name, attempt), 'health.json');

/** Not durable: after a power cut the container runs no more. */
export async function writeHealth(
  paths: PodPaths,
  name: string,
  { attempt, started, ready }: Pick<LiveRun, 'attempt' | 'started' | 'ready'>,
): Promise<void> {
  const record = { ...(started !== undefined && { started }), ...(ready !== undefined && { ready }) };
  await writeFileAtomic(file(paths, name, attempt), JSON.stringify(record), { durable: false });
}

/** A record was written before the postStart hook began: where there is one, that is not run again. */
export async function readHealth(paths: PodPaths, container: Container | undefined, attempt: number): Promise<Health> {
  const record = container && (await readRecord<Health>(file(paths, container.name, attempt)));
  if (!record) return freshHealth(container);
  const { starting: _, ...fresh } = freshHealth(container);
  return { ...fresh, ...record };
}
