/**
 * A cluster of several nodes on one machine: a controller, and agents in namespaces of their own whose links meet on one
 * bridge in one more namespace, as machines on a switch do. `await using nodes = await startNodes(3)` leaves nothing behind.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, type Result, repository } from './cluster.js';

const command = join(repository, 'bin/keelson');
const kubectlFile = join(repository, '.cache/kubectl-v35/kubectl');
const pauseFile = join(repository, 'build/Release/pause');

export interface NodesOptions {
  /** Nodes have IPv6 addresses, too. */
  readonly ipv6?: boolean;
  readonly agentFlags?: readonly string[];
  readonly controllerFlags?: readonly string[];
}

export class TestNode {
  agent: ChildProcess | undefined;
  constructor(
    readonly name: string,
    readonly address: string,
    readonly directory: string,
    /** Whose namespaces the node has. */
    readonly holder: number,
    readonly address6: string,
  ) {}
  get dataDir(): string {
    return join(this.directory, this.name, 'data');
  }
  get runDir(): string {
    return join(this.directory, this.name, 'run');
  }

  /** Standard output of a command in the node's namespaces. */
  run(...words: string[]): string {
    const enter = ['--target', String(this.holder), '--net', '--mount', '--', ...words];
    return execFileSync('nsenter', enter, { encoding: 'utf8', timeout: 30_000, stdio: ['ignore', 'pipe', 'pipe'] });
  }
}

export class Nodes {
  readonly nodes: TestNode[] = [];
  #controller: ChildProcess | undefined;
  #switch = 0;
  #log = '';

  private constructor(
    readonly directory: string,
    readonly port: number,
    readonly options: NodesOptions,
  ) {}

  static async create(options: NodesOptions): Promise<Nodes> {
    const nodes = new Nodes(await mkdtemp('/tmp/ktn-'), await freePort(), options);
    nodes.#switch = await holdNamespaces();
    within(nodes.#switch, 'ip link add sw type bridge && ip link set sw up');
    return nodes;
  }

  get kubeconfig(): string {
    return join(this.directory, 'controller', 'admin.kubeconfig');
  }
  get log(): string {
    return this.#log;
  }

  async startController(): Promise<void> {
    const dataDir = join(this.directory, 'controller');
    const flags = ['--data-dir', dataDir, '--run-dir', join(dataDir, 'run'), '--port', String(this.port)];
    this.#controller = await this.#start([
      'controller',
      ...flags,
      '--kubeconfig',
      this.kubeconfig,
      ...(this.options.controllerFlags ?? []),
    ]);
  }

  /** Namespaces and a link to the switch; then joined by a token, as a machine would be. */
  async addNode(flags: readonly string[] = this.options.agentFlags ?? []): Promise<TestNode> {
    const n = this.nodes.length + 1;
    const holder = await holdNamespaces();
    const node = new TestNode(
      `n${n}-${process.pid}`,
      `172.30.0.${10 + n}`,
      this.directory,
      holder,
      `fd00:30::${10 + n}`,
    );
    this.nodes.push(node);
    within(
      this.#switch,
      `ip link add p${n} type veth peer name eth0 netns ${holder} && ip link set p${n} master sw up`,
    );
    within(holder, `ip link set lo up && ip address add ${node.address}/24 dev eth0 && ip link set eth0 up`);
    if (this.options.ipv6) within(holder, `ip address add ${node.address6}/64 dev eth0 nodad`);
    mkdirSync(node.runDir, { recursive: true });
    writeFileSync(join(node.runDir, 'holder.json'), JSON.stringify({ pid: holder, startTime: startTime(holder) }));
    this.#join(node);
    await this.startAgent(node, flags);
    return node;
  }

  async startAgent(node: TestNode, flags: readonly string[] = this.options.agentFlags ?? []): Promise<void> {
    const where = ['--isolated', node.name, '--data-dir', node.dataDir, '--run-dir', node.runDir];
    node.agent = await this.#start(['agent', ...where, ...flags]);
  }

  #join(node: TestNode): void {
    const url = `https://127.0.0.1:${this.port}`;
    const keelson = (...words: string[]): string =>
      execFileSync(command, words, { encoding: 'utf8', timeout: 60_000, stdio: ['ignore', 'pipe', 'pipe'] });
    const words = keelson('token', 'create', '--kubeconfig', this.kubeconfig, '--join', url).trim().split(' ').slice(1);
    keelson(...words, '--node-name', node.name, '--data-dir', node.dataDir);
    // in its namespace the controller's port is out of reach, its socket is not
    const file = join(node.dataDir, 'node.kubeconfig');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(url, `unix:${join(this.directory, 'controller/run/controller.sock')}`));
    keelson('image', 'import', join(repository, '.cache/images/busybox'), '--data-dir', node.dataDir);
  }

  async stopAgent(node: TestNode, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const over = node.agent && new Promise(resolve => node.agent?.once('exit', resolve));
    // who is started in a node's namespaces is a child of the one that was called
    if (signal === 'SIGKILL') process.kill(pidOf(node), signal);
    else await ended(node.agent, signal);
    if (signal === 'SIGKILL') await over;
    node.agent = undefined;
  }

  async tryKubectl(args: readonly string[], input?: string): Promise<Result> {
    return new Promise(resolve => {
      const child = spawn(kubectlFile, args, {
        env: { ...process.env, KUBECONFIG: this.kubeconfig, HOME: this.directory },
      });
      const result = { stdout: '', stderr: '' };
      child.stdout.on('data', part => (result.stdout += part));
      child.stderr.on('data', part => (result.stderr += part));
      child.stdin.end(input ?? '');
      child.on('close', code => resolve({ code: code ?? 1, ...result }));
    });
  }

  async kubectl(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.tryKubectl(args);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}\n${this.#log.slice(-3000)}`);
    return stdout;
  }

  async apply(...objects: object[]): Promise<void> {
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
    const { code, stderr } = await this.tryKubectl(['apply', '-f', '-'], list);
    if (code !== 0) throw new Error(`kubectl apply: ${stderr}`);
  }

  #start(words: readonly string[]): Promise<ChildProcess> {
    const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log += text;
    });
    return new Promise((resolve, reject) => {
      child.stdout?.setEncoding('utf8').on('data', (text: string) => text.includes('ready') && resolve(child));
      child.once('exit', code =>
        reject(new Error(`keelson ${words[0]} ended with ${code}:\n${this.#log.slice(-4000)}`)),
      );
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.nodes) {
      await this.stopAgent(node);
      // pods outlive their agent: one more life takes them away
      if (!this.options.agentFlags?.includes('--rm')) await this.#clean(node);
    }
    await ended(this.#controller, 'SIGTERM');
    for (const holder of [...this.nodes.map(node => node.holder), this.#switch]) kill(holder);
    await rm(this.directory, { recursive: true, force: true });
  }

  async #clean(node: TestNode): Promise<void> {
    await this.startAgent(node, ['--rm']).catch(() => {});
    await this.stopAgent(node);
  }
}

export async function startNodes(count: number, options: NodesOptions = {}): Promise<Nodes> {
  const nodes = await Nodes.create(options);
  try {
    await nodes.startController();
    for (let i = 0; i < count; i++) await nodes.addNode();
    return nodes;
  } catch (error) {
    await nodes[Symbol.asyncDispose]();
    throw error;
  }
}

async function holdNamespaces(): Promise<number> {
  const script = 'mount --make-rshared / && exec "$0"';
  const child = spawn(
    'unshare',
    ['--net', '--mount', '--propagation', 'private', '--', 'sh', '-c', script, pauseFile],
    {
      stdio: 'ignore',
      detached: true,
    },
  );
  child.unref();
  const pid = child.pid ?? 0;
  for (const until = Date.now() + 5000; Date.now() < until; await new Promise(wait => setTimeout(wait, 2)))
    if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'pause') return pid;
  throw new Error('namespaces did not come up');
}

function within(pid: number, script: string): void {
  execFileSync('nsenter', ['--target', String(pid), '--net', '--', 'sh', '-ec', script], { timeout: 10_000 });
}

const pidOf = ({ dataDir }: TestNode): number =>
  (JSON.parse(readFileSync(join(dataDir, 'agent.lock'), 'utf8')) as { pid: number }).pid;

/** Field 22 of /proc/PID/stat. */
function startTime(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    // ended already: its agent has taken it along
  }
}

async function ended(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const over = new Promise(resolve => child.once('exit', resolve));
  child.kill(signal);
  await over;
}
