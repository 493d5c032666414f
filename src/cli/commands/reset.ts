/** `keelson reset`: remove from this machine everything Keelson ever made. */
import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { cgroup2Mounts } from '../../../agent/machine.js';
import { type ResetTarget, resetNode } from '../../../agent/reset.js';
import { UserError } from '../../base/errors.js';
import { lockHolder } from '../../base/process-lock.js';
import { endHolder } from '../isolation.js';
import { addSettings, type Settings, settingsFrom } from '../settings.js';
import { knownSiblings, switchDirectory } from '../siblings.js';

export function registerReset(program: Command): void {
  addSettings(program.command('reset'), ['isolated', 'data-dir', 'run-dir', 'kubeconfig', 'service-cidr'])
    .description(
      'remove pods, links, cgroups, rules and all state (without --isolated: of the host and of every isolated node)',
    )
    .option('--yes', 'do it; without it only what would go is shown')
    .addHelpText('after', '\nExample:\n  keelson reset --yes\n')
    .action(async (flags: { yes?: boolean; isolated?: string }) => {
      const own = settingsFrom(flags);
      const others = flags.isolated
        ? knownSiblings(own.dataDir)
        : isolatedNames(own.dataDir).map(name => ({ isolated: name }));
      const all = [own, ...others.map(other => settingsFrom(other))];
      for (const settings of all) refuseRunning(settings.dataDir);
      if (!flags.yes) {
        for (const settings of all) for (const line of plan(settings)) process.stdout.write(`would remove ${line}\n`);
        process.stdout.write('nothing was removed; add --yes to do it\n');
        return;
      }
      const problems: string[] = [];
      // isolated nodes live below the host's data directory: they go first
      for (const settings of all.reverse()) {
        if (settings.isolated) for (const runDir of [settings.runDir, switchDirectory(settings)]) endHolder(runDir);
        problems.push(...(await resetNode(targetOf(settings), line => process.stdout.write(`${line}\n`))));
      }
      if (problems.length > 0) throw new UserError(`not everything could be removed:\n  ${problems.join('\n  ')}`);
      removeEmptyFolders();
      process.stdout.write('nothing of Keelson is left\n');
    });
}

function isolatedNames(dataDir: string): string[] {
  const folder = join(dataDir, 'isolated');
  return existsSync(folder) ? readdirSync(folder) : [];
}

function targetOf(s: Settings): ResetTarget {
  return {
    serviceCIDRs: s.serviceCIDRs,
    cgroupMount: cgroup2Mounts(readFileSync('/proc/self/mountinfo', 'utf8'))[0],
    cgroupNames: [s.cgroupName],
    directories: [s.dataDir, s.runDir, ...(s.isolated ? [] : ['/etc/keelson'])],
    network: !s.isolated,
  };
}

function plan(s: Settings): string[] {
  const { directories, cgroupNames } = targetOf(s);
  return [
    ...cgroupNames.map(n => `processes and cgroups of ${n}`),
    ...(s.isolated ? ['its namespaces'] : ['bridge cni0, nft table keelson']),
    ...directories.filter(existsSync),
  ];
}

/** Folders that several nodes share go with the last of them; rmdir refuses one that holds anything. */
function removeEmptyFolders(): void {
  for (const folder of ['/var/lib/keelson/isolated', '/var/lib/keelson', '/run/keelson', '/etc/keelson']) {
    try {
      rmdirSync(folder);
    } catch {
      // not there, or still of use to someone
    }
  }
}

/** Pulling the floor away under a running agent would leave half of everything. */
function refuseRunning(dataDir: string): void {
  for (const name of ['up.lock', 'agent.lock', 'controller.lock']) {
    const pid = lockHolder(join(dataDir, name));
    if (pid !== undefined)
      throw new UserError(`process ${pid} still works in ${dataDir}`, `stop it first: kill ${pid}`);
  }
}
