/** `keelson token dashboard`: what to paste into the page. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { UserError } from '../../base/errors.js';
import { addSettings, settingsFrom } from '../settings.js';

export function registerToken(program: Command): void {
  const token = program.command('token').description('tokens of this cluster');
  addSettings(token.command('dashboard'), ['isolated', 'data-dir'])
    .description('print the token that opens the dashboard (it can do everything: keep it to yourself)')
    .addHelpText('after', '\nExample:\n  keelson token dashboard --isolated demo\n')
    .action((flags: Record<string, string>) => {
      const { dataDir } = settingsFrom(flags);
      const file = join(dataDir, 'pki', 'admin.token');
      if (!existsSync(file))
        throw new UserError(`no cluster has its state in ${dataDir}`, 'name it with --data-dir or --isolated');
      process.stdout.write(`${readFileSync(file, 'utf8').trim()}\n`);
    });
}
