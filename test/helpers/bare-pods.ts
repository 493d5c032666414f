/** Pods that are nothing but their pause processes, with network namespaces of their own for a CNI plugin to fill. */
import { execFileSync } from 'node:child_process';
import { expect } from 'vitest';
import type { Attachment } from '../../cni/contract.js';
import { createSandbox, type Process } from '../../native/index.js';
import { ip, withCgroup } from './cgroups.js';

export const linkNames = (): string[] => ip('link').map(link => String(link.ifname));

export const attachmentOf = (id: string, pod: Process): Attachment => ({
  containerID: id,
  netns: `/proc/${pod.pid}/ns/net`,
  ifName: 'eth0',
  object: `pod test/${id}`,
});

export const inPod = (pod: Process, ...command: string[]): string =>
  execFileSync('nsenter', ['-t', String(pod.pid), '-n', ...command], { encoding: 'utf8', timeout: 10_000 });

/** Resolves when they and their links are gone. */
export async function withPods(ids: string[], body: (...pods: Process[]) => Promise<void>): Promise<void> {
  await withCgroup(async cgroup => {
    const pods = await Promise.all(
      ids.map(id =>
        createSandbox({
          object: `pod test/${id}`,
          cgroup: `${cgroup}/${id}`,
          namespaces: { net: true, ipc: true, uts: true, pid: false },
        }),
      ),
    );
    try {
      await body(...pods);
    } finally {
      for (const pod of pods) {
        pod.signal(9);
        await pod.wait();
        pod.close();
      }
    }
    await expect.poll(linkNames, { interval: 20, timeout: 5_000 }).not.toContainEqual(expect.stringMatching(/^veth/));
  });
}
