/** `keelson sandbox run`: low-level experiments without any controller. */
import { readlinkSync } from 'node:fs';
import type { Command } from 'commander';
import { createImageStore } from '../../../agent/images/store.js';
import { startPlayground } from '../../../agent/playground.js';
import { UserError } from '../../base/errors.js';
import { paint, table } from '../output.js';
import { addSettings, settingsFrom } from '../settings.js';

interface Flags {
  image: string;
  hostname: string;
  hostNetwork?: boolean;
  tty?: boolean;
  cpu?: string;
  memory?: string;
}

export function registerSandbox(program: Command): void {
  const sandbox = program
    .command('sandbox')
    .description('experiments with namespaces and cgroups, without any controller');
  addSettings(sandbox.command('run [command...]'), ['isolated', 'data-dir'])
    .description(
      'run a command in namespaces and a cgroup of its own; its output comes here, its exit code is ours (root)',
    )
    .requiredOption('--image <name>', 'image whose files it sees')
    .option('--hostname <name>', 'its host name', 'sandbox')
    .option('--host-network', 'stay in the network namespace of the host')
    .option('--cpu <quantity>', 'CPU limit, e.g. 500m')
    .option('--memory <quantity>', 'memory limit, e.g. 64Mi')
    .option('-t, --tty', 'give it a terminal')
    .addHelpText(
      'after',
      '\nExample:\n  keelson sandbox run --image localhost/busybox:1 -- sh -c "hostname; ip addr; cat /proc/self/cgroup"\n\nWhat was made is printed on standard error; nothing is left afterwards.\n',
    )
    .action(async (command: string[], flags: Flags) => {
      if (process.getuid?.() !== 0)
        throw new UserError('keelson sandbox must run as root', 'try: sudo keelson sandbox run …');
      const { dataDir } = settingsFrom(flags as never);
      const limits = { ...(flags.cpu && { cpu: flags.cpu }), ...(flags.memory && { memory: flags.memory }) };
      const run = await startPlayground({
        images: createImageStore(dataDir),
        image: flags.image,
        command,
        hostname: flags.hostname,
        hostNetwork: flags.hostNetwork ?? false,
        tty: flags.tty ?? false,
        limits,
      });
      process.stderr.write(`${describe(run.pausePid, run.pid, run.cgroup)}\n`);
      if (run.streams?.stdin) process.stdin.pipe(run.streams.stdin);
      // a Ctrl-C ends the sandbox, not only us
      process.once('SIGINT', () => void run.close());
      process.once('SIGTERM', () => void run.close());
      if (flags.tty && run.streams) run.streams.stdout.pipe(process.stdout);
      else for await (const part of run.output) process.stdout.write(part);
      process.exitCode = await run.exited;
      await run.close();
      process.stdin.destroy();
    });
}

function describe(pause: number, pid: number, cgroup: string): string {
  const inode = (process: number | 'self', name: string) => {
    try {
      return readlinkSync(`/proc/${process}/ns/${name}`);
    } catch {
      return '(ended)';
    }
  };
  const rows = ['net', 'ipc', 'uts', 'pid', 'mnt', 'cgroup'].map(name => [
    name,
    inode('self', name),
    inode(pause, name),
    inode(pid, name),
  ]);
  return table([
    ['cgroup', cgroup],
    [paint('namespace', 'bold', process.stderr), 'here', `pause ${pause}`, `command ${pid}`],
    ...rows,
  ]);
}
