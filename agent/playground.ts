/**
 * One pod-like sandbox without any controller: for people who want to see what namespaces and cgroups do. Everything it
 * makes is gone after `close`.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cgroupApply, cgroupKill, cgroupRemove, createSandbox } from '../native/index.js';
import { codeOf, UserError } from '../src/base/errors.js';
import type { Container, Pod } from '../src/kube/pod.js';
import { containerFiles } from './cgroups/resources.js';
import type { ContainerStreams } from './containers/contract.js';
import { readLogs } from './containers/logs.js';
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
  /** Undefined if it had ended before anybody could be connected with it: then there is its output. */
  readonly streams: ContainerStreams | undefined;
  /** Everything it writes, from the first byte (an attach would miss what came before it). Without a terminal only. */
  readonly output: AsyncIterable<Buffer>;
  /** Resolves with its exit code. */
  readonly exited: Promise<number>;
  /** Ends what still runs, and removes everything that was made. */
  close(): Promise<void>;
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
    command: options.command.map(literal),
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
    const streams = await runtime.attach(handle, { stdin: true, tty: options.tty }).catch(unlessEnded);
    const ended = new AbortController();
    const exited = handle.exited().then(record => {
      ended.abort();
      return record.code ?? 128 + (record.signal ?? 0);
    });
    const output = readLogs(join(directory, 'output.log'), { follow: true }, ended.signal);
    return { pausePid: pause.pid, pid: handle.process.pid, cgroup, streams, output, exited, close: remove };
  } catch (error) {
    await remove().catch(() => {});
    throw error;
  }
}

/** Its shim has gone, and the socket with it. */
function unlessEnded(error: unknown): undefined {
  if (!['ENOENT', 'ECONNREFUSED', 'ECONNRESET'].includes(codeOf(error) ?? '')) throw error;
}

/** The words as typed: `$$` would be one `$` in a Pod, `$(VAR)` a variable. */
const literal = (word: string): string => word.replaceAll('$', () => '$$');
