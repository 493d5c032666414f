/**
 * `keelson up`: a whole cluster of one node, or of several in namespaces. Starts controller and agents as processes of their
 * own, so that each can die and come back without the others, starts them again when they do, and stops all on SIGTERM.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { UserError } from '../../base/errors.js';
import { acquireLock, lockHolder } from '../../base/process-lock.js';
import { Child } from '../child.js';
import { plugIn } from '../ethernet.js';
import { endHolder, ensureHolder, enterWords, type Holder } from '../isolation.js';
import { untilStopped } from '../lifetime.js';
import { resourceFlagNames } from '../resource-settings.js';
import { addSettings, type Settings, settingsFrom } from '../settings.js';
import { rememberSiblings, type Sibling, siblingsOf, switchDirectory } from '../siblings.js';
import { insideVariable } from './agent.js';

export function registerUp(program: Command): void {
  addSettings(program.command('up'))
    .description('a whole cluster on this machine: controller and agent (root)')
    .option(
      '--nodes <n>',
      'so many nodes on one Ethernet, each in namespaces of its own: NAME, NAME-2, … (with --isolated)',
    )
    .addHelpText(
      'after',
      '\nExample:\n  keelson up --isolated demo --port 6443 --rm\n  keelson up --isolated demo --nodes 3 --rm\n\nPrints `ready https://… kubeconfig=…` when a Pod can be scheduled.\n',
    )
    .action(async (flags: Record<string, string>) => {
      const settings = settingsFrom(flags);
      const count = nodeCount(settings, flags);
      if (process.getuid?.() !== 0) throw new UserError('keelson up must run as root', 'try: sudo keelson up …');
      process.exitCode = await up(settings, count, process.argv.slice(3));
    });
}

const maxNodes = 32;

/** Throws UserError for what several nodes cannot share. */
function nodeCount({ isolated }: Settings, flags: Readonly<Record<string, string>>): number {
  const count = Number(flags.nodes ?? 1);
  if (!Number.isInteger(count) || count < 1 || count > maxNodes)
    throw new UserError(`--nodes "${flags.nodes}": must be a whole number from 1 to ${maxNodes}`);
  if (count === 1) return count;
  if (isolated === undefined)
    throw new UserError(`--nodes ${count}: needs --isolated NAME, for namespaces of each node`);
  const single = (['podCidr', 'nodeIp'] as const).find(flag => flags[flag] !== undefined);
  if (single)
    throw new UserError(
      `--${single === 'podCidr' ? 'pod-cidr' : 'node-ip'} ${flags[single]}: is of one node, and --nodes ${count} makes several`,
    );
  return count;
}

/** The roles of an `up` that was killed stop by themselves within this time: a new one waits for them. */
const handOverMs = 6000;

async function predecessorsGone(dataDir: string): Promise<void> {
  const held = () => ['controller.lock', 'agent.lock'].some(name => lockHolder(join(dataDir, name)) !== undefined);
  for (const until = Date.now() + handOverMs; held() && Date.now() < until; )
    await new Promise(resolve => setTimeout(resolve, 50));
}

async function up(settings: Settings, count: number, flags: readonly string[]): Promise<number> {
  mkdirSync(settings.dataDir, { recursive: true, mode: 0o700 });
  // released when this process exits
  acquireLock(join(settings.dataDir, 'up.lock'), `data directory ${settings.dataDir}`);
  const siblings = siblingsOf(settings, count);
  for (const { dataDir } of [settings, ...siblings]) await predecessorsGone(dataDir);
  const namespaces = settings.isolated ? await makeNamespaces(settings, siblings) : [];
  if (settings.isolated) await rememberSiblings(settings.dataDir, siblings);
  const controller = new Child('controller', [
    ...words('controller', []),
    ...only(flags, controllerFlags),
    ...['--local-node', '--nodes', String(count)],
  ]);
  const agents = [
    agentOf(only(flags, agentFlags), settings.isolated, namespaces[0]?.holder),
    ...siblings.map((sibling, i) => agentOf(siblingFlags(flags, sibling), sibling.isolated, namespaces[i + 1]?.holder)),
  ];
  process.on('SIGPWR', () => {
    for (const agent of agents) agent.signal('SIGPWR');
  });
  const stopped = untilStopped();
  const gaveUp = Promise.race([controller, ...agents].map(child => child.gaveUp));
  const ready = controller
    .start('ready')
    .then(() => Promise.all(agents.map(agent => agent.start('ready'))))
    .then(() => process.stdout.write(`ready https://127.0.0.1:${settings.port} kubeconfig=${settings.kubeconfig}\n`));
  const started = await Promise.race([gaveUp, ready.then(() => true), stopped.then(() => true)]);
  if (started) await stopped;
  await Promise.all(agents.map(agent => agent.stop()));
  await controller.stop();
  // a start that failed takes away only what it has made: the namespaces may be those of a running node
  for (const { runDir, made } of namespaces) if (started ? settings.removeOnStop : made) endHolder(runDir);
  return started ? 0 : 1;
}

interface NodeNamespaces {
  readonly holder: Holder;
  readonly runDir: string;
  readonly made: boolean;
}

/** Of each node in turn, and of the switch between them if there are several. */
async function makeNamespaces(first: Settings, siblings: readonly Sibling[]): Promise<NodeNamespaces[]> {
  const made: NodeNamespaces[] = [];
  const directories = [first, ...siblings].map(({ runDir }) => runDir);
  try {
    for (const runDir of directories) made.push({ runDir, ...(await ensureHolder(runDir)) });
    if (siblings.length === 0) return made;
    const runDir = switchDirectory(first);
    const theSwitch = { runDir, ...(await ensureHolder(runDir)) };
    const nodes = made.map(({ holder }) => holder);
    made.push(theSwitch);
    await plugIn(
      theSwitch.holder,
      nodes,
      first.clusterCIDRs.some(cidr => cidr.includes(':')),
    );
    return made;
  } catch (error) {
    for (const one of made) if (one.made) endHolder(one.runDir);
    throw error;
  }
}

const words = (role: string, inside: readonly string[]): string[] => [
  ...inside,
  process.execPath,
  ...process.execArgv,
  process.argv[1] ?? '',
  role,
];

const agentOf = (flags: readonly string[], isolated: string | undefined, holder: Holder | undefined): Child =>
  new Child(
    isolated ? `agent of ${isolated}` : 'agent',
    [...words('agent', holder ? enterWords(holder) : []), ...flags],
    isolated ? { [insideVariable]: isolated } : {},
  );

/** What says who a node is, and where, is its own. */
function siblingFlags(flags: readonly string[], { isolated, nodeName, dataDir, runDir }: Sibling): string[] {
  const own = ['--isolated', '--node-name', '--data-dir', '--run-dir', '--manifests'];
  return [
    ...only(
      flags,
      agentFlags.filter(flag => !own.includes(flag)),
    ),
    ...['--isolated', isolated, '--node-name', nodeName, '--data-dir', dataDir, '--run-dir', runDir],
  ];
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
