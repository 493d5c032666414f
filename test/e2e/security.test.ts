/** securityContext and the node's refusals, as kubectl and the kernel show them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Pod } from '../../src/kube/pod.js';
import { type Cluster, eventually, startCluster } from '../helpers/cluster.js';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ images: ['busybox'], flags: ['--allowed-unsafe-sysctls', 'net.core.somaxconn'] });
});
afterAll(async () => cluster?.[Symbol.asyncDispose]());

const podOf = (name: string, script: string, container: object = {}, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'app', image: 'localhost/busybox:1', command: ['sh', '-c', script], ...container }],
    ...spec,
  },
});
const pod = (name: string) => cluster.get<Pod>('pod', name);
/** What a pod prints that runs to its end. */
async function output(name: string, script: string, container: object = {}, spec: object = {}): Promise<string> {
  await cluster.apply(podOf(name, script, container, spec));
  await cluster.kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', `pod/${name}`, '--timeout=30s');
  return cluster.kubectl('logs', name);
}
const waiting = (name: string, reason: string) =>
  eventually(`${name} waits: ${reason}`, async () => {
    const state = (await pod(name)).status?.containerStatuses?.[0]?.state?.waiting;
    return state?.reason === reason && (state.message ?? ' ');
  });

describe.concurrent('who a container is', () => {
  test('user, group and groups', async () => {
    const context = { runAsUser: 1234, runAsGroup: 4321 };
    const spec = { securityContext: { supplementalGroups: [77], fsGroup: 88 } };
    expect(await output('who', 'id', { securityContext: context }, spec)).toBe('uid=1234 gid=4321 groups=77,88,4321\n');
  });

  test('without groups of the image if the pod says Strict', async () => {
    const spec = { securityContext: { supplementalGroupsPolicy: 'Strict', supplementalGroups: [77] } };
    expect(await output('strict', 'id -G', {}, spec)).toBe('0 77\n');
  });

  test('root where root must not be waits', async () => {
    await cluster.apply(podOf('nonroot', 'true', { securityContext: { runAsNonRoot: true } }));
    expect(await waiting('nonroot', 'CreateContainerConfigError')).toMatch(
      /^container has runAsNonRoot and image will run as root \(pod: "nonroot_default\(.*\)", container: app\)$/,
    );
  });

  test('a name of its own, long if asked', async () => {
    const spec = { hostname: 'h', subdomain: 's', setHostnameAsFQDN: true };
    const full = 'h.s.default.svc.cluster.local';
    expect(await output('named', 'hostname; cat /etc/hostname; echo $HOSTNAME', {}, spec)).toBe(`${full}\n`.repeat(3));
  });
});

describe.concurrent('what it may do', () => {
  test('a user namespace: root inside, nobody on the node; volumes keep their look', async () => {
    const mounts = { volumeMounts: [{ name: 'v', mountPath: '/v' }] };
    const spec = { hostUsers: false, volumes: [{ name: 'v', emptyDir: {} }] };
    const script = "id -u; touch /v/x; stat -c %u:%g /v/x /etc/hosts; awk '{print $2 % 65536, $3}' /proc/self/uid_map";
    expect(await output('userns', script, mounts, spec)).toBe('0\n0:0\n0:0\n0 65536\n');
  });

  test('each of them has a range of its own, also when the agent was killed in between', async () => {
    const map = async (name: string) => {
      await cluster.apply(podOf(name, 'cat /proc/self/uid_map; sleep 1000', {}, { hostUsers: false }));
      await cluster.kubectl('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=30s');
      return (await cluster.kubectl('logs', name)).trim().split(/\s+/)[1];
    };
    const first = await map('range-a');
    await cluster.crash('agent');
    expect(await map('range-b')).not.toBe(first);
    expect((await cluster.kubectl('exec', 'range-a', '--', 'cat', '/proc/self/uid_map')).split(/\s+/)[2]).toBe(first);
  });

  test('/proc is unmasked only there', async () => {
    const unmasked = { securityContext: { procMount: 'Unmasked' } };
    await expect(cluster.apply(podOf('masked', 'true', unmasked))).rejects.toThrow(
      '`hostUsers` must be false to use `Unmasked`',
    );
    const count = "grep -c ' /proc/' /proc/mounts || true";
    expect(await output('unmasked', count, unmasked, { hostUsers: false })).toBe('0\n');
  });

  test('a seccomp profile of the node; one that is missing is named', async () => {
    const folder = join(cluster.directory, 'data', 'seccomp');
    mkdirSync(folder, { recursive: true });
    const rule = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' };
    writeFileSync(join(folder, 'own.json'), JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule] }));
    const local = (localhostProfile: string) => ({
      securityContext: { seccompProfile: { type: 'Localhost', localhostProfile } },
    });
    expect(await output('own-seccomp', 'mkdir /x 2>&1; true', local('own.json'))).toContain('Operation not permitted');
    await cluster.apply(podOf('no-seccomp', 'true', local('none.json')));
    expect(await waiting('no-seccomp', 'CreateContainerError')).toMatch(/^cannot load seccomp profile ".*none\.json"/);
  });

  test('kernel parameters: safe ones, allowed ones, no others', async () => {
    const sysctls = (name: string) => ({ securityContext: { sysctls: [{ name, value: '77' }] } });
    const somaxconn = 'cat /proc/sys/net/core/somaxconn';
    expect(await output('allowed', somaxconn, {}, sysctls('net.core.somaxconn'))).toBe('77\n');
    await cluster.apply(podOf('forbidden', 'true', {}, sysctls('kernel.msgmax')));
    await eventually('it is rejected', async () => (await pod('forbidden')).status?.reason === 'SysctlForbidden');
    expect((await pod('forbidden')).status?.message).toBe(
      'Pod was rejected: forbidden sysctl: "kernel.msgmax" not allowlisted',
    );
  });

  test('AppArmor is not pretended', async () => {
    await cluster.apply(
      podOf('apparmor', 'true', { securityContext: { appArmorProfile: { type: 'RuntimeDefault' } } }),
    );
    await eventually('it is rejected', async () => (await pod('apparmor')).status?.reason === 'AppArmor');
  });

  test('mounts that spread out need privilege', async () => {
    const mounts = { volumeMounts: [{ name: 'v', mountPath: '/v', mountPropagation: 'Bidirectional' }] };
    const spec = { volumes: [{ name: 'v', emptyDir: {} }] };
    await expect(cluster.apply(podOf('spread', 'true', mounts, spec))).rejects.toThrow(
      'Bidirectional mount propagation is available only to privileged containers',
    );
  });
});
