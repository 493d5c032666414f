/** An exit record of the shim → what the API shows of that run (reliability rule A6). */
import type { Pod } from '../../src/kube/pod.js';
import type { ExitRecord } from '../containers/contract.js';
import { readTerminationMessage } from '../containers/termination-message.js';
import { allContainers, type EndedRun } from './facts.js';
import { attemptDirectory, logPath, type PodPaths, terminationFile } from './paths.js';
import type { LiveContainer } from './state.js';

/** Exit code and reason of a record: 128 + signal, OOMKilled before all, 255 Unknown where the record is lost. Pure. */
export function exitOf(record: ExitRecord): { exitCode: number; signal?: number; reason: string } {
  if (record.lost) return { exitCode: 255, reason: 'Unknown' };
  const exitCode = record.code ?? 128 + (record.signal ?? 0);
  const reason = record.oomKilled ? 'OOMKilled' : exitCode === 0 ? 'Completed' : 'Error';
  return {
    exitCode: record.oomKilled && exitCode === 0 ? 137 : exitCode,
    ...(record.signal !== undefined && { signal: record.signal }),
    reason,
  };
}

export async function endedRun(
  pod: Pod,
  paths: PodPaths,
  name: string,
  live: Pick<LiveContainer, 'handle' | 'attempt'>,
  record: ExitRecord,
): Promise<EndedRun> {
  const exit = exitOf(record);
  const container = allContainers(pod).find(c => c.name === name);
  const message = await readTerminationMessage({
    file: terminationFile(attemptDirectory(paths, name, live.attempt)),
    logPath: logPath(paths, name, live.attempt),
    policy: container?.terminationMessagePolicy ?? 'File',
    failed: exit.exitCode !== 0,
  });
  return {
    attempt: live.attempt,
    id: live.handle.id,
    ...exit,
    ...(message && { message }),
    startedAt: live.handle.startedAt,
    finishedAt: record.finishedAt,
  };
}
