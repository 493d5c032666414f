/**
 * One pod-like sandbox without any controller: for people who want to see what namespaces and cgroups do. Everything it
 * makes is gone when the command has ended.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cgroupApply, cgroupKill, cgroupRemove, createSandbox } from '../native/index.js';
import { UserError } from '../src/base/errors.js';
import type { Container, Pod } from '../src/kube/pod.js';
import { containerFiles } from './cgroups/resources.js';
import type { ContainerStreams } from './containers/contract.js';
import { createContainerRuntime } from './containers/runtime.js';
import { containerSpec } from './containers/spec.js';
import type { ImageStore } from './images/contract.js';
import { cgroupTree } from './machine.js';

export interface PlaygroundOptions {
  readonly images: ImageStore;
  readonly image: string;
  readonly command: readonly string[];
  readonly hostname: string;
  readonly hostNetwork: boolean;
  readonly tty: boolean;
  readonly limits: Readonly<Record<string, string>>;
}

export interface Playground {
  readonly pausePid: number;
  readonly pid: number;
  readonly cgroup: string;
  readonly streams: ContainerStreams;
  /** Resolves with the exit code when it has ended and everything is gone. */
  readonly done: Promise<number>;
}

export async function startPlayground(options: PlaygroundOptions): Promise<Playground> {
  const image = await options.images.find(options.image);
  if (!image) throw new UserError(`image "${options.image}" is not here`, 'bring it with: keelson image import FILE');
  const tree = cgroupTree();
  const id = randomBytes(4).toString('hex');
  const object = `sandbox ${id}`;
  const group = join(tree.mount, `keelson-sandbox-${id}`);
  const directory = await mkdtemp(join(tmpdir(), 'keelson-sandbox-'));
  const container = {
    name: 'sandbox',
    image: options.image,
    command: [...options.command],
    stdin: true,
    tty: options.tty,
    resources: { limits: { ...options.limits } },
  } satisfies Container;
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `sandbox-${id}`, namespace: 'none', uid: id },
    spec: { containers: [container], hostNetwork: options.hostNetwork },
  } satisfies Pod;
  const runtime = createContainerRuntime();
  const remove = async () => {
    await cgroupKill(group);
    await cgroupRemove(group);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await cgroupApply({ root: tree.mount, path: group, controllers: [...tree.controllers], files: [] });
    const cgroup = join(group, 'container');
    await cgroupApply({
      root: tree.mount,
      path: cgroup,
      controllers: [...tree.controllers],
      files: containerFiles(container, tree.controllers),
    });
    const pause = await createSandbox({
      object,
      cgroup: join(group, 'pause'),
      namespaces: { net: !options.hostNetwork, ipc: true, uts: true, pid: false },
      hostname: options.hostname,
    });
    const files = join(directory, 'files');
    await mkdir(files);
    await writeFile(join(files, 'hostname'), `${options.hostname}\n`);
    const handle = await runtime.start({
      directory: join(directory, 'attempt'),
      spec: containerSpec({
        pod,
        container,
        image,
        env: new Map(),
        mounts: [{ source: join(files, 'hostname'), target: '/etc/hostname', readOnly: true, propagation: 'private' }],
        oomScoreAdj: 0,
      }),
      cgroup,
      shimCgroup: join(group, 'pause'),
      sandbox: { pid: pause.pid, startTime: pause.startTime },
      logPath: join(directory, 'output.log'),
      runDirectory: directory,
    });
    const streams = await runtime.attach(handle, { stdin: true, tty: options.tty });
    const done = handle.exited().then(async record => {
      await remove();
      return record.code ?? 128 + (record.signal ?? 0);
    });
    return { pausePid: pause.pid, pid: handle.process.pid, cgroup, streams, done };
  } catch (error) {
    await remove().catch(() => {});
    throw error;
  }
}
