/**
 * A whole single-node cluster of the built command, in namespaces of its own, with real kubectl: what a user types.
 * `await using cluster = await startCluster()` leaves nothing behind.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { type Dirent, existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** This file runs from test/helpers, and compiled from dist/test/helpers (in the lab). */
export const repository = fileURLToPath(
  new URL(import.meta.url.includes('/dist/') ? '../../..' : '../..', import.meta.url),
);
/** Minor versions that set-up fetches (scripts/test.sh). */
export type KubectlMinor = 22 | 26 | 30 | 33 | 35;
const kubectlFile = (minor: KubectlMinor) => join(repository, `.cache/kubectl-v${minor}/kubectl`);
const command = join(repository, 'bin/keelson');

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ClusterOptions {
  /** Images of .cache/images to import; default busybox. */
  readonly images?: readonly string[];
  /** Environment of `keelson up`, for example KEELSON_FAILPOINTS. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
  /** Without --rm: pods outlive `up`. They are taken away when the cluster is disposed of. */
  readonly keep?: boolean;
  /** Folder for state; a filesystem that an overlay can be made on. */
  readonly parent?: string;
}

/** The lab's root is an overlay, on which there can be no other. */
const stateParent = process.env['KEELSON_LAB'] ? '/var/tmp/lab' : '/tmp';

let count = 0;

export class Cluster {
  #up: ChildProcess | undefined;
  #log = '';

  private constructor(
    readonly name: string,
    readonly directory: string,
    readonly port: number,
    readonly options: ClusterOptions,
  ) {}

  static async create(options: ClusterOptions): Promise<Cluster> {
    const directory = await mkdtemp(join(options.parent ?? process.env['KEELSON_TEST_STATE'] ?? stateParent, 'kt-'));
    return new Cluster(`t${process.pid}-${count++}`, directory, await freePort(), options);
  }

  get dataDir(): string {
    return join(this.directory, 'data');
  }
  get runDir(): string {
    return join(this.directory, 'run');
  }
  get kubeconfig(): string {
    return join(this.dataDir, 'admin.kubeconfig');
  }
  /** Standard error of everything that ran, for a failed test. */
  get log(): string {
    return this.#log;
  }
  get flags(): string[] {
    return ['--isolated', this.name, '--data-dir', this.dataDir, '--run-dir', this.runDir];
  }

  /** Resolves when a Pod can be scheduled. */
  async up(
    environment: Readonly<Record<string, string>> = this.options.environment ?? {},
    removeOnStop = !this.options.keep,
  ): Promise<void> {
    const more = [...(removeOnStop ? ['--rm'] : []), ...(this.options.flags ?? [])];
    const child = spawn(command, ['up', ...this.flags, '--port', String(this.port), ...more], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    this.#up = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log += text;
    });
    await new Promise<void>((resolve, reject) => {
      child.stdout?.setEncoding('utf8').on('data', (text: string) => text.includes('ready https://') && resolve());
      child.once('exit', code => reject(new Error(`keelson up ended with ${code}:\n${this.#log}`)));
    });
  }

  /** Pids of the roles, as they run now. */
  pidOf(role: 'controller' | 'agent'): number {
    try {
      return (JSON.parse(readFileSync(join(this.dataDir, `${role}.lock`), 'utf8')) as { pid: number }).pid;
    } catch {
      return 0; // away or half written for a moment, when a successor takes it from one that was killed
    }
  }

  async keelson(...args: string[]): Promise<Result> {
    return run(command, args);
  }

  /** Imports images made at set-up. */
  async importImages(names: readonly string[] = this.options.images ?? ['busybox']): Promise<void> {
    for (const name of names)
      await this.ok(
        this.keelson('image', 'import', join(repository, '.cache/images', name), '--data-dir', this.dataDir),
      );
  }

  /** kubectl with a home of its own; never throws for a failing command. */
  async tryKubectl(
    args: readonly string[],
    input?: string,
    minor: KubectlMinor = 35,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Result> {
    return run(kubectlFile(minor), args, { ...this.#kubectlEnvironment(minor), ...environment }, input);
  }

  /** helm 4, with kubectl's home; never throws for a failing command. */
  async helm(args: readonly string[]): Promise<Result> {
    return run(join(dirname(kubectlFile(35)), 'helm'), args, this.#kubectlEnvironment(35));
  }

  /** kubectl as a process of its own, for what lasts: port-forward, proxy, logs -f. End it by `kill`. */
  startKubectl(args: readonly string[], minor: KubectlMinor = 35): ChildProcess {
    const env = { ...process.env, ...this.#kubectlEnvironment(minor) };
    return spawn(kubectlFile(minor), args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  }

  /** What it learns about the server is kept below its home; another version is not to find it. */
  #kubectlEnvironment(minor: KubectlMinor): Record<string, string> {
    return { KUBECONFIG: this.kubeconfig, HOME: minor === 35 ? this.directory : join(this.directory, `home-${minor}`) };
  }

  /** Standard output of kubectl; throws with what it said if it failed. */
  async kubectl(...args: string[]): Promise<string> {
    return (await this.ok(this.tryKubectl(args))).stdout;
  }

  async apply(...objects: object[]): Promise<string> {
    const list = { apiVersion: 'v1', kind: 'List', items: objects };
    return (await this.ok(this.tryKubectl(['apply', '-f', '-'], JSON.stringify(list)))).stdout;
  }

  async get<T>(...args: string[]): Promise<T> {
    return JSON.parse(await this.kubectl('get', ...args, '-o', 'json')) as T;
  }

  /** A command in the node's namespaces. */
  async enter(...words: string[]): Promise<string> {
    const holder = JSON.parse(readFileSync(join(this.runDir, 'holder.json'), 'utf8')) as { pid: number };
    return (await this.ok(run('nsenter', ['--target', String(holder.pid), '--net', '--mount', '--', ...words]))).stdout;
  }

  async ok(result: Promise<Result>): Promise<Result> {
    const { code, stdout, stderr } = await result;
    if (code !== 0)
      throw new Error(`exit code ${code}: ${stderr || stdout}\n--- log of the cluster\n${this.#log.slice(-4000)}`);
    return { code, stdout, stderr };
  }

  /** Ends `up`. With SIGTERM and --rm nothing of the pods is left when it resolves. */
  async down(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#up;
    this.#up = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise(resolve => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  /** SIGKILL for a role; resolves when its successor has the lock. */
  async crash(role: 'controller' | 'agent'): Promise<void> {
    const pid = this.pidOf(role);
    process.kill(pid, 'SIGKILL');
    await eventually(`${role} is started again`, async () => ![0, pid].includes(this.pidOf(role)));
  }

  /** What a node of this name would have left in the kernel. */
  leftovers(): string[] {
    const mount = cgroupMount();
    return [`${mount}/keelson-${this.name}`, join(this.runDir, 'holder.json')].filter(existsSync);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
    // pods that were left running need one more life of the node to go
    if (this.leftovers().length > 0) {
      await this.up({}, true).catch(() => {});
      await this.down();
    }
    const left = this.leftovers();
    await rm(this.directory, { recursive: true, force: true });
    if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}\n${this.#log.slice(-4000)}`);
  }
}

export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = await Cluster.create(options);
  try {
    await cluster.up();
    await cluster.importImages();
    return cluster;
  } catch (error) {
    await cluster.down();
    await rm(cluster.directory, { recursive: true, force: true });
    throw error;
  }
}

/** A pod that sleeps until it is told to stop. */
export function sleeper(name: string, more: object = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: 'sleeper' } },
    spec: {
      terminationGracePeriodSeconds: 2,
      containers: [
        {
          name: 'app',
          image: 'localhost/busybox:1',
          command: ['sh', '-c', "trap 'exit 0' TERM; while :; do sleep 1; done"],
        },
      ],
      ...more,
    },
  };
}

/** Processes in the cgroups of the node's pods: `besteffort/pod<uid>/sandbox.0` → pids. */
export function groupsOf(cluster: Cluster): Map<string, number[]> {
  const root = join(cgroupMount(), `keelson-${cluster.name}`);
  const found = new Map<string, number[]>();
  const visit = (path: string): void => {
    for (const entry of entriesOf(join(root, path))) {
      if (!entry.isDirectory()) continue;
      const group = join(path, entry.name);
      const pids = pidsOf(join(root, group));
      // a killed one stays here until its parent has asked how it ended
      const living = pids.filter(pid => isLiving(pid));
      if (group.split('/').length === 3) found.set(group, living);
      visit(group);
    }
  };
  if (existsSync(root)) visit('');
  return found;
}

/** A group may go while we look: then there is nothing in it. */
function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** None of a group that has gone while we look. */
function pidsOf(group: string): number[] {
  return readOrNothing(join(group, 'cgroup.procs')).split('\n').filter(Boolean).map(Number);
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** False for one that has ended and waits for its parent to ask how. */
export function isLiving(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    return false;
  }
}

export function cgroupMount(): string {
  const line = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find(l => l.includes(' - cgroup2 '));
  return line?.split(' ')[4] ?? '/sys/fs/cgroup';
}

/** Polls a fact of the outside world that nothing announces; a bound, not a pause. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  timeoutMs = process.env['KEELSON_LAB'] ? 240_000 : 30_000,
): Promise<T> {
  const until = Date.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > until) throw new Error(`did not come true in ${timeoutMs} ms: ${what}`);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

function run(
  file: string,
  args: readonly string[],
  environment: Record<string, string> = {},
  input?: string,
): Promise<Result> {
  return new Promise(resolve => {
    const child = execFile(
      file,
      args,
      { env: { ...process.env, ...environment }, maxBuffer: 1 << 26, timeout: 110_000 },
      (error, stdout, stderr) => {
        const code = error ? (typeof error.code === 'number' ? error.code : 1) : 0;
        resolve({ code, stdout, stderr });
      },
    );
    // a command that fails early does not read what it is given; its exit code tells
    child.stdin?.on('error', () => {});
    child.stdin?.end(input ?? '');
  });
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
