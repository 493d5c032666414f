/**
 * Our plugins as executables for any runtime (CNI spec 1.1): `libexec/cni/keelson-bridge` and its siblings start this with
 * their own name. Environment and standard input in; one JSON and an exit code out.
 */
import { text } from 'node:stream/consumers';
import { KernelError } from '../native/index.js';
import { describe } from '../src/base/errors.js';
import { CniError } from './contract.js';
import type { Answer, PluginInput } from './plugin-input.js';
import { plugins } from './plugins.js';
import { formatResult, supportedVersions } from './result-versions.js';

const known = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION'] as const;
type Command = (typeof known)[number];

/** Which variables each command cannot do without. */
const required: Readonly<Record<Command, readonly string[]>> = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME'],
  GC: [],
  STATUS: [],
  VERSION: [],
};

async function main(type: string): Promise<object | undefined> {
  const command = commandOf(process.env['CNI_COMMAND'] ?? '');
  const config = parseConfig(await readInput(), command);
  version = typeof config.cniVersion === 'string' ? config.cniVersion : '0.1.0';
  if (command === 'VERSION') return { cniVersion: version, supportedVersions };
  if (!supportedVersions.includes(version))
    throw new CniError(
      1,
      `incompatible CNI versions: config is "${version}"`,
      `plugin supports ${supportedVersions.join(', ')}`,
    );
  const answer = await perform(type, command, inputOf(command, config));
  return answer && formatResult(answer, version);
}

let version = '1.1.0';

function commandOf(command: string): Command {
  if ((known as readonly string[]).includes(command)) return command as Command;
  throw new CniError(4, command ? `unknown CNI_COMMAND: ${command}` : 'required env variables [CNI_COMMAND] missing');
}

async function readInput(): Promise<string> {
  try {
    return await text(process.stdin);
  } catch (error) {
    throw new CniError(5, 'cannot read the network configuration on standard input', describe(error));
  }
}

function parseConfig(input: string, command: Command): PluginInput['config'] {
  let value: unknown;
  try {
    value = JSON.parse(input.trim() === '' && command === 'VERSION' ? '{}' : input);
  } catch (error) {
    throw new CniError(6, 'cannot decode the network configuration on standard input', describe(error));
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new CniError(6, 'the network configuration on standard input is no JSON object');
  const config = value as PluginInput['config'];
  if (command !== 'VERSION' && !/^[a-zA-Z0-9][\w.-]*$/.test(String(config.name ?? '')))
    throw new CniError(
      7,
      `network name ${JSON.stringify(config.name)} is invalid`,
      'letters, digits, "_", "." and "-" are allowed',
    );
  return config;
}

function inputOf(command: Command, config: PluginInput['config']): PluginInput {
  const { CNI_CONTAINERID: containerID = '', CNI_NETNS: netns = '', CNI_IFNAME: ifName = '' } = process.env;
  const missing = required[command].filter(name => !process.env[name]);
  if (missing.length > 0) throw new CniError(4, `required env variables [${missing.join(',')}] missing`);
  if (containerID && !/^[a-zA-Z0-9][\w.-]*$/.test(containerID))
    throw new CniError(4, `invalid characters in CNI_CONTAINERID "${containerID}"`);
  if (ifName && !/^[^\s/:]{1,15}$/.test(ifName)) throw new CniError(4, `CNI_IFNAME "${ifName}" is no name of a link`);
  return { config, containerID, netns, ifName };
}

async function perform(type: string, command: Command, input: PluginInput): Promise<Answer | undefined> {
  const plugin = plugins[type];
  if (!plugin) throw new CniError(7, `no plugin is called "${type}"`, `there are ${Object.keys(plugins).join(', ')}`);
  if (command === 'ADD') return plugin.add(input);
  if (command === 'DEL') await plugin.del(input);
  if (command === 'CHECK') await plugin.check(input);
  if (command === 'STATUS') await plugin.status(input);
  if (command === 'GC') await plugin.gc(input, validOf(input));
  return undefined;
}

/** Runtimes leave an empty list out. */
function validOf({ config }: PluginInput): Set<string> {
  const list = config['cni.dev/valid-attachments'] ?? [];
  if (!Array.isArray(list)) throw new CniError(7, 'cni.dev/valid-attachments: a list is required');
  return new Set(list.map(one => String((one as { containerID?: unknown }).containerID)));
}

/** Of what nobody has given a code: 5 if it was about a file. */
function numberOf(error: unknown): number {
  if (error instanceof CniError) return error.code;
  const file = error instanceof KernelError ? error.object : (error as { path?: unknown } | null)?.path;
  return typeof file === 'string' && file.startsWith('/') ? 5 : 999;
}

main(process.argv[2] ?? '').then(
  answer => {
    if (answer) process.stdout.write(`${JSON.stringify(answer)}\n`);
  },
  (error: unknown) => {
    process.stdout.write(`${JSON.stringify({ cniVersion: version, code: numberOf(error), msg: describe(error) })}\n`);
    process.exitCode = 1;
  },
);
