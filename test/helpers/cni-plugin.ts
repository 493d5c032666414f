/** Our plugins' executables, called as a runtime does. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from './cluster.js';

export const pluginFolder = join(repository, 'libexec/cni');
export const pluginsBuilt = existsSync(join(repository, 'dist/cni/plugin-main.js'));

/** What one prints, an error too. @param words before it, such as `nsenter` with its own */
export function callPlugin(
  type: string,
  environment: Readonly<Record<string, string>>,
  config: object | string,
  words: readonly string[] = [],
): Record<string, unknown> {
  const [file = '', ...args] = [...words, join(pluginFolder, type)];
  const input = typeof config === 'string' ? config : JSON.stringify(config);
  try {
    const options = {
      env: { PATH: process.env['PATH'], ...environment },
      input,
      encoding: 'utf8' as const,
      timeout: 20_000,
    };
    return JSON.parse(execFileSync(file, args, options) || '{}') as Record<string, unknown>;
  } catch (error) {
    return JSON.parse((error as { stdout?: string }).stdout || JSON.stringify(String(error))) as Record<
      string,
      unknown
    >;
  }
}
