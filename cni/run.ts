/** One call of a plugin's executable, by the CNI spec (section 2): environment, configuration on standard input, JSON back. */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { CniError } from './contract.js';

export interface PluginCall {
  readonly command: 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'STATUS' | 'VERSION';
  readonly type: string;
  /** Name of the network, for errors. */
  readonly network: string;
  readonly binDirs: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly config: object;
  /** It is killed after this. */
  readonly timeoutMs: number;
}

const maxOutput = 1 << 20;
/** What a plugin has said is read by then; something that it has started may hold its output open for ever. */
const afterExitMs = 500;

/** @returns what it answered, undefined for nothing. @throws CniError naming plugin, network, and what it said */
export async function runPlugin(call: PluginCall): Promise<unknown> {
  const { code, stdout, stderr, timedOut } = await execute(call, findPlugin(call));
  const what = `plugin type="${call.type}" name="${call.network}" failed (${call.command.toLowerCase()})`;
  if (timedOut) throw new CniError(100, what, `no answer in ${call.timeoutMs / 1000} s${said(stderr)}`);
  const text = stdout.trim();
  const answer = text === '' ? undefined : parsed(text);
  if (code !== 0) throw failed(what, code, answer, text || stderr.trim());
  if (text !== '' && answer === undefined)
    throw new CniError(6, what, `it printed something that is no JSON: ${shortened(text)}`);
  return answer;
}

function findPlugin({ type, network, binDirs }: PluginCall): string {
  if (!/^[\w.-]+$/.test(type))
    throw new CniError(7, `network "${network}"`, `plugin type ${JSON.stringify(type)} is no name of a program`);
  const file = binDirs.map(dir => join(dir, type)).find(isExecutable);
  if (file) return file;
  throw new CniError(
    100,
    `failed to find plugin "${type}" in path [${binDirs.join(' ')}]`,
    `network "${network}" needs it`,
  );
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}

function execute(
  { command, environment, config, binDirs, timeoutMs, type }: PluginCall,
  file: string,
): Promise<Output> {
  const env = { PATH: process.env['PATH'] ?? '', CNI_COMMAND: command, CNI_PATH: binDirs.join(':'), ...environment };
  // a process group of its own: what a hanging plugin has started ends with it
  const child = spawn(file, [], { env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    end(child.pid);
  }, timeoutMs);
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (part: string) => {
      if (output[name].length < maxOutput) output[name] += part;
    });
  child.stdin.on('error', () => undefined); // it ended before it read all; its answer says why
  child.stdin.end(JSON.stringify(config));
  return new Promise((resolve, reject) => {
    child.on('error', cause => {
      clearTimeout(timer);
      reject(new CniError(100, `plugin "${type}" cannot be run`, cause.message, { cause }));
    });
    let lingering: NodeJS.Timeout | undefined;
    child.on('exit', () => {
      clearTimeout(timer);
      lingering = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, afterExitMs);
    });
    child.on('close', (code, signal) => {
      clearTimeout(lingering);
      resolve({ code: signal ? 1 : (code ?? 1), ...output, timedOut });
    });
  });
}

function end(pid: number | undefined): void {
  try {
    if (pid) process.kill(-pid, 'SIGKILL');
  } catch {
    // ended in this moment
  }
}

function failed(what: string, exitCode: number, answer: unknown, text: string): CniError {
  const { code, msg, details } = (answer ?? {}) as { code?: unknown; msg?: unknown; details?: unknown };
  if (typeof msg === 'string')
    return new CniError(typeof code === 'number' ? code : 100, what, details ? `${msg}: ${String(details)}` : msg);
  return new CniError(100, what, `exit code ${exitCode}${text ? `: ${shortened(text)}` : ', without a word'}`);
}

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

const said = (text: string): string => (text.trim() ? `; it said: ${shortened(text.trim())}` : '');
const shortened = (text: string): string => (text.length > 300 ? `${text.slice(0, 300)}…` : text);
