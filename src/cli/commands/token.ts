/** `keelson token`: what opens the page, and what lets machines ask to become nodes. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { codeOf, UserError } from '../../base/errors.js';
import { at } from '../../kube/json.js';
import { apiRequest, readKubeconfig, succeeded } from '../api-request.js';
import { addSettings, settingsFrom } from '../settings.js';
import { caHash } from './join.js';

interface CreateFlags {
  ttl: string;
  description?: string;
  join?: string;
  groups: string;
  isolated?: string;
  dataDir?: string;
  kubeconfig?: string;
}

const secrets = '/api/v1/namespaces/kube-system/secrets';
const tokenType = 'bootstrap.kubernetes.io/token';

export function registerToken(program: Command): void {
  const token = program.command('token').description('tokens of this cluster');
  registerDashboard(token);
  addSettings(token.command('create'), ['isolated', 'data-dir', 'kubeconfig'])
    .description('make a token by which a machine may ask to become a node, and print it')
    .option('--ttl <duration>', 'how long it is good: 30m, 24h, 7d; 0 for ever', '24h')
    .option(
      '--groups <list>',
      'further groups, system:bootstrappers:NAME',
      'system:bootstrappers:keelson:default-node-token',
    )
    .option('--description <text>', 'what it is for')
    .option('--join <server>', 'print the whole command for a machine that reaches the API there')
    .addHelpText('after', '\nExample:\n  keelson token create --ttl 2h --join https://192.0.2.10:6443\n')
    .action(async (flags: CreateFlags) => {
      const { kubeconfig } = settingsFrom(flags);
      const made = await createToken(kubeconfig, flags, Date.now());
      const { ca } = readKubeconfig(kubeconfig);
      process.stdout.write(
        flags.join ? `keelson join ${flags.join} --token ${made} --ca-hash ${caHash(ca)}\n` : `${made}\n`,
      );
    });
  addSettings(token.command('list'), ['isolated', 'data-dir', 'kubeconfig'])
    .description('the bootstrap tokens there are, without their secret part')
    .addHelpText('after', '\nExample:\n  keelson token list --isolated demo\n')
    .action(async (flags: CreateFlags) => {
      for (const line of await listTokens(settingsFrom(flags).kubeconfig)) process.stdout.write(`${line}\n`);
    });
  addSettings(token.command('delete <id>'), ['isolated', 'data-dir', 'kubeconfig'])
    .description('take a bootstrap token back')
    .addHelpText('after', '\nExample:\n  keelson token delete abcdef\n')
    .action(async (id: string, flags: CreateFlags) => {
      const name = `bootstrap-token-${id.split('.')[0]}`;
      const answer = await apiRequest(
        settingsFrom(flags).kubeconfig,
        'DELETE',
        `${secrets}/${encodeURIComponent(name)}`,
      );
      succeeded(answer, `cannot delete token ${id.split('.')[0]}`);
    });
}

function registerDashboard(token: Command): void {
  addSettings(token.command('dashboard'), ['isolated', 'data-dir'])
    .description('print the token that opens the dashboard (it can do everything: keep it to yourself)')
    .addHelpText('after', '\nExample:\n  keelson token dashboard --isolated demo\n')
    .action((flags: Record<string, string>) => {
      const { dataDir } = settingsFrom(flags);
      const file = join(dataDir, 'pki', 'admin.token');
      process.stdout.write(`${readToken(file, dataDir)}\n`);
    });
}

/** @param now milliseconds since 1970. Throws UserError. */
async function createToken(kubeconfig: string, flags: CreateFlags, now: number): Promise<string> {
  const [id, secret] = [letters(6), letters(16)];
  const ttl = durationMs(flags.ttl);
  const stringData = {
    'token-id': id,
    'token-secret': secret,
    'usage-bootstrap-authentication': 'true',
    'usage-bootstrap-signing': 'true',
    'auth-extra-groups': flags.groups,
    ...(ttl > 0 && { expiration: `${new Date(now + ttl).toISOString().slice(0, 19)}Z` }),
    ...(flags.description && { description: flags.description }),
  };
  const object = {
    apiVersion: 'v1',
    kind: 'Secret',
    type: tokenType,
    metadata: { name: `bootstrap-token-${id}` },
    stringData,
  };
  succeeded(await apiRequest(kubeconfig, 'POST', secrets, object), 'cannot make a token');
  return `${id}.${secret}`;
}

async function listTokens(kubeconfig: string): Promise<string[]> {
  const answer = await apiRequest(
    kubeconfig,
    'GET',
    `${secrets}?fieldSelector=type%3D${encodeURIComponent(tokenType)}`,
  );
  const items = (at(succeeded(answer, 'cannot list tokens'), 'items') ?? []) as { data?: Record<string, string> }[];
  return items.map(({ data = {} }) => {
    const text = (key: string): string => Buffer.from(data[key] ?? '', 'base64').toString('utf8');
    return [text('token-id'), text('expiration') || '<forever>', text('auth-extra-groups'), text('description')].join(
      '\t',
    );
  });
}

const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** Evenly distributed: bytes beyond the last whole multiple of the alphabet are thrown again. */
function letters(count: number): string {
  let text = '';
  while (text.length < count)
    for (const byte of randomBytes(count)) if (byte < 252 && text.length < count) text += alphabet[byte % 36];
  return text;
}

const units: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Throws UserError naming what is allowed. */
export function durationMs(text: string): number {
  if (text === '0') return 0;
  const [, amount = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const factor = units[unit];
  if (factor === undefined) throw new UserError(`--ttl "${text}": must be like 30m, 24h or 7d, or 0 for ever`);
  return Number(amount) * factor;
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
