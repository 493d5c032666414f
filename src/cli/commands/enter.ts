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
    .description('run a command in the network and mount namespace of an isolated node')
    .addHelpText('after', '\nExample:\n  keelson enter demo -- ip addr\n')
    .action(async (name: string, command: string[]) => {
      const { runDir } = settingsFrom({ isolated: name });
      const holder = findHolder(runDir);
      if (!holder)
        throw new UserError(`no isolated node "${name}" runs here`, `start one: keelson up --isolated ${name}`);
      const words = [...enterWords(holder), ...(command.length > 0 ? command : [process.env['SHELL'] ?? '/bin/sh'])];
      process.exitCode = await run(words);
    });
}

/** Runs with our terminal; the exit code, or 128 + signal. */
export function run([command = '', ...args]: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit' });
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}
