/**
 * `keelson up`: a whole single-node cluster. Starts controller and agent as processes of their own, so that each can
 * die and come back without the other, starts them again when they do, and stops both on SIGTERM.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Command } from 'commander';
import { backoffDelay } from '../../base/backoff.js';
import { UserError } from '../../base/errors.js';
import { endHolder, ensureHolder, enterWords } from '../isolation.js';
import { supervisedVariable, untilStopped } from '../lifetime.js';
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

async function up(settings: Settings, flags: readonly string[]): Promise<number> {
  const holder = settings.isolated ? await ensureHolder(settings.runDir) : undefined;
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
    [...words('agent', holder ? enterWords(holder) : []), ...only(flags, agentFlags)],
    settings.isolated ? { [insideVariable]: settings.isolated } : {},
  );
  const stopped = untilStopped();
  try {
    await Promise.race([controller.start('ready'), failed(controller)]);
    await Promise.race([agent.start('ready'), failed(agent), stopped]);
    process.stdout.write(`ready https://127.0.0.1:${settings.port} kubeconfig=${settings.kubeconfig}\n`);
    await stopped;
  } catch (error) {
    process.stderr.write(`keelson up: ${(error as Error).message}\n`);
    return 1;
  } finally {
    await agent.stop();
    await controller.stop();
    if (settings.isolated && settings.removeOnStop) endHolder(settings.runDir);
  }
  return 0;
}

const controllerFlags = ['--isolated', '--data-dir', '--run-dir', '--node-name', '--port', '--kubeconfig'];
const agentFlags = [
  '--isolated',
  '--data-dir',
  '--run-dir',
  '--node-name',
  '--manifests',
  '--pod-cidr',
  '--cluster-cidr',
  '--max-pods',
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

/** Rejects when a child gives up before it was ever ready: its own message is on standard error already. */
async function failed(child: Child): Promise<never> {
  await child.gaveUp;
  throw new Error(`${child.role} could not be started; its message is above`);
}

class Child {
  #process: ChildProcess | undefined;
  #stopping = false;
  #deaths = 0;
  #wasReady = false;
  #giveUp: () => void = () => {};
  readonly gaveUp = new Promise<void>(resolve => {
    this.#giveUp = resolve;
  });
  #exited: Promise<void> = Promise.resolve();

  constructor(
    readonly role: string,
    readonly words: readonly string[],
    readonly environment: Readonly<Record<string, string>> = {},
  ) {}

  /** Resolves at the first line on standard output that starts with `word`. */
  start(word: string): Promise<void> {
    return new Promise(resolve => this.#spawn(word, resolve));
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
      env: { ...process.env, ...this.environment, [supervisedVariable]: '1' },
    });
    this.#process = child;
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      text = (text + part).slice(-4096);
      if (!text.split('\n').some(line => line.startsWith(word))) return;
      this.#wasReady = true;
      onReady();
    });
    this.#exited = new Promise(resolve => {
      child.once('error', () => resolve());
      child.once('exit', () => resolve());
    });
    void this.#exited.then(() => this.#died(startedAt, word, onReady));
  }

  #died(startedAt: number, word: string, onReady: () => void): void {
    if (this.#stopping) return;
    if (!this.#wasReady) return this.#giveUp();
    this.#deaths = Date.now() - startedAt > healthyMs ? 0 : this.#deaths + 1;
    const delay = backoffDelay(restart, this.#deaths);
    process.stderr.write(`keelson up: ${this.role} ended; starting it again in ${delay} ms\n`);
    setTimeout(() => {
      if (!this.#stopping) this.#spawn(word, onReady);
    }, delay);
  }
}
