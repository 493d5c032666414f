/** Network configurations of a folder, as runtimes read them: the first file by name counts. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../src/base/errors.js';
import { CniError } from './contract.js';

export interface PluginConf {
  readonly type: string;
  readonly capabilities?: Readonly<Record<string, boolean>>;
  readonly [field: string]: unknown;
}

export interface ConfList {
  readonly file: string;
  readonly name: string;
  readonly cniVersion: string;
  readonly plugins: readonly PluginConf[];
}

/** Undefined if there is none. @throws CniError 6 or 7 naming the file and what is wrong with it */
export function loadConfList(folder: string): ConfList | undefined {
  const [name] = filesOf(folder)
    .filter(file => /\.(conflist|conf|json)$/.test(file))
    .sort();
  return name === undefined ? undefined : parseConfList(join(folder, name), readFileSync(join(folder, name), 'utf8'));
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** A single plugin's configuration is a list of one. */
export function parseConfList(file: string, text: string): ConfList {
  const refused = (code: number, why: string): CniError => new CniError(code, `Cannot use ${file}`, why);
  let value: { name?: unknown; cniVersion?: unknown; plugins?: unknown; type?: unknown };
  try {
    value = JSON.parse(text) as typeof value;
  } catch (error) {
    throw refused(6, error instanceof Error ? error.message : String(error));
  }
  const { name, cniVersion = '0.2.0' } = value;
  if (typeof name !== 'string' || !/^[a-zA-Z0-9][\w.-]*$/.test(name))
    throw refused(7, `name ${JSON.stringify(name)}: letters, digits, "_", "." and "-" are allowed`);
  const plugins = Array.isArray(value.plugins) ? value.plugins : value.type ? [value] : [];
  if (plugins.length === 0) throw refused(7, 'plugins: at least one is required');
  const bad = plugins.findIndex(plugin => typeof (plugin as { type?: unknown } | null)?.type !== 'string');
  if (bad >= 0) throw refused(7, `plugins[${bad}].type: the name of a program is required`);
  return { file, name, cniVersion: String(cniVersion), plugins: plugins as PluginConf[] };
}
