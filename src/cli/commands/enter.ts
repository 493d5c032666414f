/** `keelson enter NAME -- COMMAND`: run a command where an isolated node lives. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Command } from 'commander';
import { UserError } from '../../base/errors.js';
import { enterWords, findHolder } from '../isolation.js';
import { settingsFrom } from '../settings.js';

export function registerEnter(program: Command): void {
  program
    .command('enter <name> [command...]')
    .option('--run-dir <dir>', 'sockets of the node (default /run/keelson/NAME)')
    .description('run a command in the network and mount namespace of an isolated node')
    .addHelpText('after', '\nExample:\n  keelson enter demo -- ip addr\n')
    .action(async (name: string, command: string[], flags: { runDir?: string }) => {
      const { runDir } = settingsFrom({ ...flags, isolated: name });
      const holder = findHolder(runDir);
      if (!holder)
        throw new UserError(`no isolated node "${name}" runs here`, `start one: keelson up --isolated ${name}`);
      const words = [...enterWords(holder), ...(command.length > 0 ? command : [process.env['SHELL'] ?? '/bin/sh'])];
      process.exitCode = await run(words);
    });
}

/** Runs with our terminal; the exit code, or 128 + signal. Being told to stop is passed on, so that nothing outlives us. */
export function run([command = '', ...args]: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit' });
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
    // the terminal sends ^C to both: we only wait for what the command makes of it
    process.on('SIGINT', () => {});
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}
