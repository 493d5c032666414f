/**
 * The agent is killed again and again at moments that chance picks, while pods are made, run, are probed, hooked, fail,
 * start again and are taken away. Afterwards each has run exactly as often as it should, with its true exit codes, and
 * nothing is left. `KEELSON_SEED` repeats a sequence, `KEELSON_KILLS` says how many (200).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { insideVariable } from '../../src/cli/commands/agent.js';
import { enterWords, findHolder } from '../../src/cli/isolation.js';
import type { ContainerStatus, Pod } from '../../src/kube/pod.js';
import { Cluster, eventually, groupsOf, repository } from '../helpers/cluster.js';
import { Dice } from '../helpers/simulation/dice.js';

const kills = Number(process.env['KEELSON_KILLS'] ?? 200);
const seed = Number(process.env['KEELSON_SEED'] ?? Date.now() % 1_000_000);
/** Of an agent's life, in times of what it needs to take up its pods here: most deaths come later, some on the way. */
const longestLife = 1.6;
const longestStartMs = 10_000;
const command = join(repository, 'bin/keelson');

test(`killed ${kills} times at random (KEELSON_SEED=${seed}): nothing is lost, started twice or left`, async () => {
  await using node = await Node.start();
  const { cluster } = node;
  const dice = new Dice(seed);
  const walk = story(cluster, node.shared);
  walk.catch(() => {}); // heard below, when the killing is over
  for (let i = 0; i < kills; i++) await node.kill(dice.next() * longestLife);
  node.stopKilling();
  await walk;
  expect(await leftBy(cluster)).toEqual({ groups: [], leases: [], pods: [], logs: [], sockets: [], links: '' });
}, 900_000);

/** Rounds of pods, for as long as agents are killed, and one round after that. */
async function story(cluster: Cluster, shared: string): Promise<void> {
  const still = () => readdirSync(shared).includes('killing');
  for (let round = 0, more = true; more; round++) {
    more = still();
    await oneRound(cluster, shared, String(round));
  }
}

const container = (name: string, script: string, more: object = {}) => ({
  name,
  image: 'localhost/busybox:1',
  command: ['sh', '-c', script],
  volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
  ...more,
});

async function oneRound(cluster: Cluster, shared: string, round: string): Promise<void> {
  const pod = (kind: string, spec: object) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `${kind}-${round}` },
    spec: {
      terminationGracePeriodSeconds: 2,
      volumes: [{ name: 'shared', hostPath: { path: shared } }],
      ...spec,
    },
  });
  const note = (word: string, kind: string) => `echo ${word} >> /shared/${kind}-${round}.${word}`;
  const code = Number(round) % 250;
  await cluster.apply(
    pod('once', {
      restartPolicy: 'Never',
      initContainers: [container('first', note('init', 'once')), container('second', note('init', 'once'))],
      containers: [container('app', `${note('run', 'once')}; sleep 0.3; exit ${code}`)],
    }),
    pod('again', {
      restartPolicy: 'OnFailure',
      containers: [
        container(
          'app',
          `${note('run', 'again')}; sleep 0.2; [ $(grep -c run /shared/again-${round}.run) = 2 ] || exit 3`,
        ),
      ],
    }),
    pod('kept', {
      containers: [
        container('app', `${note('run', 'kept')}; trap 'exit 0' TERM; while :; do sleep 0.1; done`, {
          readinessProbe: { exec: { command: ['true'] }, periodSeconds: 1 },
          lifecycle: {
            postStart: { exec: { command: ['sh', '-c', note('post', 'kept')] } },
            preStop: { exec: { command: ['sh', '-c', note('pre', 'kept')] } },
          },
        }),
      ],
    }),
    pod('deaf', {
      containers: [container('app', `${note('run', 'deaf')}; trap '' TERM; while :; do sleep 0.1; done`)],
    }),
  );
  await expectRound(cluster, shared, round, code);
  const names = ['once', 'again', 'kept', 'deaf'].map(kind => `${kind}-${round}`);
  await cluster.kubectl('delete', 'pod', ...names, '--timeout=100s');
  expect(linesOf(shared, `kept-${round}.pre`)).toBeLessThanOrEqual(1);
  expect(linesOf(shared, `kept-${round}.run`)).toBe(1);
}

async function expectRound(cluster: Cluster, shared: string, round: string, code: number): Promise<void> {
  const app = async (kind: string) =>
    (await cluster.get<Pod>('pod', `${kind}-${round}`)).status?.containerStatuses?.[0];
  const until = (what: string, kind: string, holds: (status: ContainerStatus | undefined) => boolean) =>
    eventually(
      `${kind}-${round} ${what}`,
      async () => {
        const status = await app(kind);
        return holds(status) && { status };
      },
      90_000,
    );
  const once = await until('has ended', 'once', status => status?.state?.terminated !== undefined);
  expect(once.status?.state?.terminated?.exitCode).toBe(code);
  expect([linesOf(shared, `once-${round}.init`), linesOf(shared, `once-${round}.run`)]).toEqual([2, 1]);
  const again = await until('has succeeded', 'again', status => status?.state?.terminated?.exitCode === 0);
  expect([again.status?.restartCount, again.status?.lastState?.terminated?.exitCode]).toEqual([1, 3]);
  expect(linesOf(shared, `again-${round}.run`)).toBe(2);
  for (const kind of ['kept', 'deaf']) {
    const { status } = await until('is ready', kind, found => found?.ready === true);
    expect([status?.restartCount, linesOf(shared, `${kind}-${round}.run`)]).toEqual([0, 1]);
  }
  expect(linesOf(shared, `kept-${round}.post`)).toBeLessThanOrEqual(1);
}

function linesOf(shared: string, file: string): number {
  const path = join(shared, file);
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0;
}

/** A controller that lives, and an agent that is started again at once whenever it has been killed. */
class Node {
  #agent: ChildProcess | undefined;
  /** As long as the last one took that came so far. */
  #startMs = 1000;
  #came = false;

  private constructor(
    readonly cluster: Cluster,
    readonly controller: ChildProcess,
    readonly shared: string,
  ) {}

  static async start(): Promise<Node> {
    const cluster = await Cluster.create({});
    // its first life makes the namespaces, the credentials and the node
    await cluster.up({}, false);
    await cluster.importImages();
    await cluster.down();
    const controller = spawn(
      command,
      ['controller', ...cluster.flags, '--port', String(cluster.port), '--local-node'],
      { stdio: 'ignore' },
    );
    const shared = join(cluster.directory, 'shared');
    await mkdir(join(shared, 'killing'), { recursive: true });
    const node = new Node(cluster, controller, shared);
    await eventually('the API answers', async () => (await cluster.tryKubectl(['get', 'nodes'])).code === 0);
    node.#agent = node.#start();
    return node;
  }

  /** Kills the agent so many times after its start as it takes to start, and starts the next. */
  async kill(starts: number): Promise<void> {
    const before = this.#agent;
    await new Promise(resolve => setTimeout(resolve, starts * this.#startMs));
    await end(before, 'SIGKILL');
    // where this machine has become slower nobody would live to tell
    if (!this.#came) this.#startMs = Math.min(this.#startMs * 1.15, longestStartMs);
    this.#agent = this.#start();
  }

  #start(): ChildProcess {
    const agent = startAgent(this.cluster);
    const began = Date.now();
    this.#came = false;
    agent.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (!text.includes('ready')) return;
      this.#came = true;
      this.#startMs = Date.now() - began;
    });
    return agent;
  }

  stopKilling(): void {
    rmdirSync(join(this.shared, 'killing'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#agent, 'SIGTERM');
    await end(this.controller, 'SIGTERM');
    await this.cluster[Symbol.asyncDispose]();
  }
}

/** Inside the node's namespaces from the start, so that the process that is killed is the agent itself. */
function startAgent(cluster: Cluster): ChildProcess {
  const holder = findHolder(cluster.runDir);
  if (!holder) throw new Error(`node ${cluster.name} has no namespaces any more`);
  const [first = '', ...words] = [...enterWords(holder), command, 'agent', ...cluster.flags];
  return spawn(first, words, {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, [insideVariable]: cluster.name },
  });
}

async function end(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise(resolve => child.once('exit', resolve));
  child.kill(signal);
  await ended;
}

async function leftBy(cluster: Cluster) {
  const look = async () => ({
    groups: [...groupsOf(cluster).keys()],
    leases: readdirSync(join(cluster.dataDir, 'cni/keelson')).filter(name => /^\d+\.\d+\.\d+\.\d+$/.test(name)),
    pods: readdirSync(join(cluster.dataDir, 'pods')),
    logs: readdirSync(join(cluster.dataDir, 'logs')),
    sockets: readdirSync(cluster.runDir).filter(file => file.endsWith('.sock') && file !== 'controller.sock'),
    links: (await cluster.enter('ip', '-o', 'link', 'show', 'type', 'veth')).trim(),
  });
  const empty = (left: object) => Object.values(left).every(value => value.length === 0);
  await eventually('nothing is left', async () => empty(await look())).catch(() => {});
  return look();
}
