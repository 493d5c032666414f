/** `keelson controller`: API, store, scheduler, controllers, dashboard. */
import type { Command } from 'commander';
import { untilStopped } from '../lifetime.js';
import { addSettings, controllerSocket, nodeCredentials, settingsFrom } from '../settings.js';
import { siblingsOf } from '../siblings.js';

export function registerController(program: Command): void {
  addSettings(program.command('controller'), [
    'isolated',
    'data-dir',
    'run-dir',
    'node-name',
    'port',
    'kubeconfig',
    'audit-log',
    'cluster-cidr',
    'node-cidr-mask-size',
    'node-cidr-mask-size-ipv6',
    'service-cidr',
    'service-node-port-range',
    'bind-address',
  ])
    .description('the Kubernetes-compatible API with store, scheduler, controllers and dashboard')
    .option('--local-node', 'write credentials for an agent on this machine to DATA-DIR/node.kubeconfig')
    .option('--nodes <n>', 'with --local-node: for so many, NAME-2 in DATA-DIR-2 and so on (default 1)')
    .addHelpText('after', '\nExample:\n  keelson controller --data-dir /var/lib/keelson --port 6443\n')
    .action(async (flags: { localNode?: boolean; nodes?: string; isolated?: string }) => {
      const settings = settingsFrom(flags);
      const stopped = untilStopped();
      const { startController } = await import('../compose.js');
      const controller = await startController({
        dataDir: settings.dataDir,
        runDir: settings.runDir,
        port: settings.port,
        kubeconfig: settings.kubeconfig,
        unixSocket: controllerSocket(settings),
        auditLog: settings.auditLog,
        bindAddress: settings.bindAddress,
        clusterCIDRs: settings.clusterCIDRs,
        nodeMaskSizes: settings.nodeMaskSizes,
        serviceCIDRs: settings.serviceCIDRs,
        nodePorts: settings.nodePorts,
        localNodes: (flags.localNode ? [settings, ...siblingsOf(settings, Number(flags.nodes ?? 1))] : []).map(
          node => ({
            name: node.nodeName,
            credentials: nodeCredentials(node),
          }),
        ),
      });
      process.stdout.write(`ready ${controller.url} kubeconfig=${settings.kubeconfig}\n`);
      await stopped;
      await controller.stop();
      process.exit(0);
    });
}
