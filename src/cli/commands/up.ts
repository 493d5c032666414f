/**
 * `keelson up`: a whole single-node cluster. Starts controller and agent as processes of their own, so that each can
 * die and come back without the other, starts them again when they do, and stops both on SIGTERM.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { backoffDelay } from '../../base/backoff.js';
import { UserError } from '../../base/errors.js';
import { failpointsVariable } from '../../base/failpoint.js';
import { acquireLock, lockHolder } from '../../base/process-lock.js';
import { endHolder, ensureHolder, enterWords } from '../isolation.js';
import { supervisedVariable, untilStopped } from '../lifetime.js';
import { resourceFlagNames } from '../resource-settings.js';
import { addSettings, type Settings, settingsFrom } from '../settings.js';
import { insideVariable } from './agent.js';

const restart = { initialMs: 100, maxMs: 5000, factor: 2 } as const;
/** A child that lived this long is started again without delay. */
const healthyMs = 10_000;

export function registerUp(program: Command): void {
  addSettings(program.command('up'))
    .description('a whole single-node cluster on this machine: controller and agent (root)')
    .addHelpText(
      'after',
      '\nExample:\n  keelson up --isolated demo --port 6443 --rm\n\nPrints `ready https://… kubeconfig=…` when a Pod can be scheduled.\n',
    )
    .action(async (flags: Record<string, string>) => {
      const settings = settingsFrom(flags);
      if (process.getuid?.() !== 0) throw new UserError('keelson up must run as root', 'try: sudo keelson up …');
      process.exitCode = await up(settings, process.argv.slice(3));
    });
}

/** The roles of an `up` that was killed stop by themselves within this time: a new one waits for them. */
const handOverMs = 6000;

async function predecessorsGone(dataDir: string): Promise<void> {
  const held = () => ['controller.lock', 'agent.lock'].some(name => lockHolder(join(dataDir, name)) !== undefined);
  for (const until = Date.now() + handOverMs; held() && Date.now() < until; )
    await new Promise(resolve => setTimeout(resolve, 50));
}

async function up(settings: Settings, flags: readonly string[]): Promise<number> {
  mkdirSync(settings.dataDir, { recursive: true, mode: 0o700 });
  // released when this process exits
  acquireLock(join(settings.dataDir, 'up.lock'), `data directory ${settings.dataDir}`);
  await predecessorsGone(settings.dataDir);
  const namespaces = settings.isolated ? await ensureHolder(settings.runDir) : undefined;
  const main = process.argv[1] ?? '';
  const words = (role: string, inside: readonly string[]) => [
    ...inside,
    process.execPath,
    ...process.execArgv,
    main,
    role,
  ];
  const common = flags.filter(f => f !== '--rm');
  const controller = new Child('controller', [
    ...words('controller', []),
    ...only(common, controllerFlags),
    '--local-node',
  ]);
  const agent = new Child(
    'agent',
    [...words('agent', namespaces ? enterWords(namespaces.holder) : []), ...only(flags, agentFlags)],
    settings.isolated ? { [insideVariable]: settings.isolated } : {},
  );
  process.on('SIGPWR', () => agent.signal('SIGPWR'));
  const stopped = untilStopped();
  const gaveUp = Promise.race([controller.gaveUp, agent.gaveUp]);
  const ready = inOrder([controller, agent]).then(() =>
    process.stdout.write(`ready https://127.0.0.1:${settings.port} kubeconfig=${settings.kubeconfig}\n`),
  );
  const started = await Promise.race([gaveUp, ready.then(() => true), stopped.then(() => true)]);
  if (started) await stopped;
  await agent.stop();
  await controller.stop();
  // a start that failed takes away only what it has made: the namespaces may be those of a running node
  if (namespaces && (started ? settings.removeOnStop : namespaces.made)) endHolder(settings.runDir);
  return started ? 0 : 1;
}

async function inOrder(children: readonly Child[]): Promise<void> {
  for (const child of children) await child.start('ready');
}

const controllerFlags = [
  '--isolated',
  '--data-dir',
  '--run-dir',
  '--node-name',
  '--port',
  '--kubeconfig',
  '--audit-log',
  '--cluster-cidr',
  '--node-cidr-mask-size',
  '--node-cidr-mask-size-ipv6',
  '--service-cidr',
  '--service-node-port-range',
  '--bind-address',
];
const agentFlags = [
  '--isolated',
  '--data-dir',
  '--run-dir',
  '--node-name',
  '--manifests',
  '--pod-cidr',
  '--cluster-cidr',
  '--service-cidr',
  '--overlay',
  '--cni-conf-dir',
  '--cni-bin-dir',
  '--node-ip',
  '--max-pods',
  '--proxy-mode',
  '--ipvs-scheduler',
  '--allowed-unsafe-sysctls',
  ...resourceFlagNames.map(name => `--${name}`),
  '--rm',
];

/** The given flags of a list, with their values (`--flag value` or `--flag=value`). */
export function only(flags: readonly string[], allowed: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < flags.length; i++) {
    const flag = flags[i] ?? '';
    const takesNext = flag !== '--rm' && !flag.includes('=');
    const value = takesNext ? [flags[i + 1] ?? ''] : [];
    if (takesNext) i++;
    if (allowed.includes(flag.split('=')[0] ?? '')) kept.push(flag, ...value);
  }
  return kept;
}

class Child {
  #process: ChildProcess | undefined;
  #stopping = false;
  #deaths = 0;
  #wasReady = false;
  #giveUp: (started: false) => void = () => {};
  /** Resolves if it ends before it was ever ready. */
  readonly gaveUp = new Promise<false>(resolve => {
    this.#giveUp = resolve;
  });
  #exited: Promise<string> = Promise.resolve('was never started');
  /** For its first life only: a crash that is asked for must not come back with every start. */
  #failpoints: string | undefined = process.env[failpointsVariable];

  constructor(
    readonly role: string,
    readonly words: readonly string[],
    readonly environment: Readonly<Record<string, string>> = {},
  ) {}

  /** Resolves at the first line on standard output that starts with `word`. */
  start(word: string): Promise<void> {
    return new Promise(resolve => {
      if (!this.#stopping) this.#spawn(word, resolve);
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#process?.kill('SIGTERM');
    await this.#exited;
  }

  #spawn(word: string, onReady: () => void): void {
    const [command = '', ...args] = this.words;
    const startedAt = Date.now();
    // standard input is the children's life line: it ends with us, however we end
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...this.environment, [supervisedVariable]: '1', [failpointsVariable]: this.#failpoints },
    });
    this.#process = child;
    this.#failpoints = undefined;
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      text = (text + part).slice(-4096);
      if (!text.split('\n').some(line => line.startsWith(word))) return;
      this.#wasReady = true;
      onReady();
    });
    this.#exited = new Promise(resolve => {
      child.once('error', error => resolve(`cannot be run: ${error.message}`));
      child.once('exit', (code, signal) =>
        resolve(signal ? `was killed by ${signal}` : `ended with exit code ${code}`),
      );
    });
    void this.#exited.then(how => this.#died(how, startedAt, word, onReady));
  }

  #died(how: string, startedAt: number, word: string, onReady: () => void): void {
    if (this.#stopping) return;
    if (!this.#wasReady) {
      // with exit code 1 it has said itself what is wrong
      if (!how.endsWith(' 1')) process.stderr.write(`keelson up: the ${this.role} ${how} before it was ready\n`);
      this.#giveUp(false);
      return;
    }
    this.#deaths = Date.now() - startedAt > healthyMs ? 0 : this.#deaths + 1;
    const delay = backoffDelay(restart, this.#deaths);
    process.stderr.write(`keelson up: ${this.role} ${how}; starting it again in ${delay} ms\n`);
    setTimeout(() => {
      if (!this.#stopping) this.#spawn(word, onReady);
    }, delay);
  }
}
