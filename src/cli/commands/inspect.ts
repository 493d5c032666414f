/** `keelson inspect`: every kernel object of a pod; the way of a packet to a Service. */
import type { Command } from 'commander';
import { inspectPods, type PodReport, type ProcessReport } from '../../../agent/inspect.js';
import { cgroupTree } from '../../../agent/machine.js';
import { UserError } from '../../base/errors.js';
import { outputOption, paint, table } from '../output.js';
import { addSettings, settingsFrom } from '../settings.js';
import { registerInspectService } from './inspect-service.js';

export function registerInspect(program: Command): void {
  const inspect = program.command('inspect').description('look at what a node has made in the kernel');
  registerInspectService(inspect);
  addSettings(inspect.command('pod <name>'), ['isolated', 'data-dir', 'run-dir'])
    .description('every kernel object of a pod: processes, namespaces, cgroups, links (NAME, NAMESPACE/NAME or UID)')
    .addOption(outputOption())
    .addHelpText('after', '\nExample:\n  keelson inspect pod default/web --isolated demo\n')
    .action(async (name: string, flags: { output: string }) => {
      const { dataDir, runDir, cgroupName } = settingsFrom(flags as never);
      const reports = await inspectPods({ dataDir, runDir, cgroupMount: cgroupTree().mount, cgroupName }, name);
      if (reports.length === 0)
        throw new UserError(
          `no pod "${name}" on the node of ${dataDir}`,
          'kubectl get pods -A -o wide shows which pods run where',
        );
      process.stdout.write(
        flags.output === 'json' ? `${JSON.stringify(reports, null, 2)}\n` : `${reports.map(render).join('\n\n')}\n`,
      );
    });
}

function render(r: PodReport): string {
  const head: string[][] = [
    [paint('pod', 'bold'), `${r.namespace}/${r.name}  ${r.uid}`],
    ['directory', r.directory],
    ['logs', r.logs],
    [
      'cgroup',
      `${r.cgroup.path}${r.cgroup.stats ? `  cpu ${(r.cgroup.stats.cpuUsageUsec / 1e6).toFixed(2)} s` : '  (gone)'}`,
    ],
    ['addresses', r.addresses.join(', ') || '-'],
    ...r.links.map(l => [
      'link',
      `${l.name}  ${l.kind ?? ''}  ${l.mac}  mtu ${l.mtu}  ${l.up ? 'up' : 'down'}  rx ${l.rxBytes} B  tx ${l.txBytes} B`,
    ]),
    ['pause', r.pause ? describe(r.pause) : 'not running'],
  ];
  const containers = r.containers.flatMap(c => [
    [paint('container', 'bold'), `${c.name}  attempt ${c.attempt}`],
    ['  cgroup', c.cgroup + (c.stats ? '' : '  (gone)')],
    ...c.processes.map(p => ['  process', describe(p, r.pause)]),
  ]);
  return table([...head, ...containers]);
}

/** The process and its namespaces; for a container only those that it does not share with pause. */
function describe(p: ProcessReport, pause?: ProcessReport | null): string {
  const own = Object.entries(p.namespaces).filter(([name, inode]) => pause?.namespaces[name] !== inode);
  return `${p.pid}  ${p.command}  ${own.map(([, inode]) => inode).join(' ')}`;
}
