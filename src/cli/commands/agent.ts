/** `keelson agent`: one node. */
import type { Command } from 'commander';
import { UserError } from '../../base/errors.js';
import { endHolder, ensureHolder, enterWords } from '../isolation.js';
import { untilStopped } from '../lifetime.js';
import { resourceFlagNames } from '../resource-settings.js';
import { addSettings, nodeCredentials, type Settings, settingsFrom } from '../settings.js';
import { run } from './enter.js';

/** Set in the process that already runs inside the node's namespaces. */
export const insideVariable = 'KEELSON_INSIDE';

export function registerAgent(program: Command): void {
  addSettings(program.command('agent'), [
    'isolated',
    'data-dir',
    'run-dir',
    'node-name',
    'manifests',
    'pod-cidr',
    'cluster-cidr',
    'service-cidr',
    'overlay',
    'cni-conf-dir',
    'cni-bin-dir',
    'node-ip',
    'max-pods',
    'proxy-mode',
    'ipvs-scheduler',
    'allowed-unsafe-sysctls',
    ...resourceFlagNames,
    'rm',
  ])
    .description('run one node: turns the Pods bound to it into processes, networks and mounts (root)')
    .option(
      '--credentials <file>',
      'kubeconfig of this node (default DATA-DIR/node.kubeconfig); without it only static pods run',
    )
    .addHelpText('after', '\nExample:\n  keelson agent --credentials /etc/keelson/node.kubeconfig\n')
    .action(async (flags: { credentials?: string; isolated?: string }) => {
      const settings = settingsFrom(flags);
      if (process.getuid?.() !== 0) throw new UserError('keelson agent must run as root', 'try: sudo keelson agent …');
      if (settings.isolated && process.env[insideVariable] !== settings.isolated) {
        process.exitCode = await runInside(settings);
        return;
      }
      await runAgent(settings, flags.credentials ?? nodeCredentials(settings));
    });
}

async function runInside(settings: Settings): Promise<number> {
  const { holder, made } = await ensureHolder(settings.runDir);
  process.env[insideVariable] = settings.isolated;
  const code = await run([...enterWords(holder), process.execPath, ...process.execArgv, ...process.argv.slice(1)]);
  // with --rm nothing stays; and a start that failed leaves nothing that it had made
  if (made ? code !== 0 || settings.removeOnStop : code === 0 && settings.removeOnStop) endHolder(settings.runDir);
  return code;
}

async function runAgent(settings: Settings, credentials: string): Promise<void> {
  // a SIGTERM while it starts is obeyed when it has started: half a start leaves half of everything
  const stopped = untilStopped();
  const { startAgent } = await import('../../../agent/main.js');
  const agent = await startAgent({
    nodeName: settings.nodeName,
    dataDir: settings.dataDir,
    runDir: settings.runDir,
    cgroupName: settings.cgroupName,
    manifestsDir: settings.manifestsDir,
    credentials,
    podCIDRs: settings.podCIDRs,
    clusterCIDRs: settings.clusterCIDRs,
    serviceCIDRs: settings.serviceCIDRs,
    overlay: settings.overlay,
    cniConfDir: settings.cniConfDir,
    cniBinDirs: settings.cniBinDirs,
    nodeIPs: settings.nodeIPs,
    maxPods: settings.maxPods,
    proxyMode: settings.proxyMode,
    ipvsScheduler: settings.ipvsScheduler,
    allowedUnsafeSysctls: settings.allowedUnsafeSysctls,
    isolated: settings.isolated !== undefined,
    removeOnStop: settings.removeOnStop,
    labels: {},
    resources: settings.resources,
  });
  void agent.ready.then(() => process.stdout.write(`ready node=${settings.nodeName}\n`));
  // what says by tradition that the power fails: the node ends its pods in order, and stays until it is stopped
  process.on('SIGPWR', () => void agent.shutDown());
  await stopped;
  await agent.stop();
  process.exit(0);
}
