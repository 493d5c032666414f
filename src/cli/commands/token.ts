/** `keelson token dashboard`: what to paste into the page. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { codeOf, UserError } from '../../base/errors.js';
import { addSettings, settingsFrom } from '../settings.js';

export function registerToken(program: Command): void {
  const token = program.command('token').description('tokens of this cluster');
  addSettings(token.command('dashboard'), ['isolated', 'data-dir'])
    .description('print the token that opens the dashboard (it can do everything: keep it to yourself)')
    .addHelpText('after', '\nExample:\n  keelson token dashboard --isolated demo\n')
    .action((flags: Record<string, string>) => {
      const { dataDir } = settingsFrom(flags);
      const file = join(dataDir, 'pki', 'admin.token');
      process.stdout.write(`${readToken(file, dataDir)}\n`);
    });
}

/** Throws UserError where there is no cluster; what this user may not read is told as such. */
function readToken(file: string, dataDir: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    throw new UserError(`no cluster has its state in ${dataDir}`, 'name it with --data-dir or --isolated');
  }
}
