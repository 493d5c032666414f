/**
 * Two VMs on one Ethernet as a cluster, by the words of the README: `keelson up` here, in the first, `keelson join` and
 * `keelson agent` in the second. Commands go to the second over a link of their own (scripts/lab/machines.mjs).
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually, repository } from '../helpers/cluster.js';

const { runOn, addressOf } = (await import(join(repository, 'scripts/lab/machines.mjs'))) as {
  runOn(node: number, script: string): Promise<{ code: string; output: string }>;
  addressOf(node: number): string;
};

export { addressOf };
export const both = [1, 2] as const;
export type Machine = (typeof both)[number];
export const other = (machine: Machine): Machine => (machine === 1 ? 2 : 1);

const importing = `keelson image import ${join(repository, '.cache/images/busybox')}`;
const kubeconfig = '/etc/keelson/admin.kubeconfig';
const agentLog = '/run/agent.log';
const run = promisify(execFile);

/** What a script of bash prints on a machine; throws if it fails. */
export async function at(machine: Machine, script: string): Promise<string> {
  if (machine === 1) return (await run('bash', ['-c', `{ ${script}\n} 2>&1`], { timeout: 200_000 })).stdout;
  const { code, output } = await runOn(machine, script);
  if (code !== '0') throw new Error(`on machine ${machine}, exit ${code}: ${script}\n${output}`);
  return output;
}

/** Standard output of kubectl, which is fed `input`; throws with what it says if it fails. */
export function kubectl(args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, KUBECONFIG: kubeconfig, HOME: '/var/tmp/lab' };
    const child = execFile(
      join(repository, '.cache/kubectl-v35/kubectl'),
      args,
      { env, timeout: 200_000 },
      (error, stdout, stderr) =>
        error ? reject(new Error(`kubectl ${args.join(' ')}: ${stderr || error.message}`)) : resolve(stdout),
    );
    child.stdin?.end(input);
  });
}

export const apply = (...objects: object[]): Promise<string> =>
  kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));

let up: ChildProcess | undefined;

/** @param flags of `up` and of the second machine's agent */
export async function startCluster(flags: readonly string[]): Promise<void> {
  assert.ok(process.env['LAB_NODE'], 'this test needs two machines: scripts/lab.sh nodes 2');
  up = spawn('keelson', ['up', '--bind-address', '0.0.0.0', ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
  const child = up;
  const ready = new Promise<void>((resolve, reject) => {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => text.includes('ready') && resolve());
    child.once('exit', code => reject(new Error(`keelson up ended with ${code}`)));
  });
  // each has a processor of its own
  await Promise.all([ready, at(2, importing)]);
  const words = await at(1, `keelson token create --join https://${addressOf(1)}:6443`);
  await Promise.all([at(1, importing), at(2, words).then(() => startAgent(flags))]);
}

/** That of the second machine. */
export async function startAgent(flags: readonly string[]): Promise<void> {
  await at(2, `setsid keelson agent ${flags.join(' ')} </dev/null >>${agentLog} 2>&1 &`);
}

const agentPid = `grep -o '"pid":[0-9]*' /var/lib/keelson/agent.lock | cut -d: -f2`;

export const killAgent = (signal: 'KILL' | 'TERM'): Promise<string> =>
  at(2, `pid=$(${agentPid}); kill -${signal} $pid; tail -f --pid=$pid /dev/null`);

/** Pods of either machine stay, unless `up` had the flag --rm. */
export async function stopCluster(): Promise<void> {
  const child = up;
  up = undefined;
  if (!child || child.exitCode !== null) return;
  const ended = new Promise(resolve => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

export const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

export async function nodeReady(name: string, status: 'True' | 'Unknown'): Promise<void> {
  const path = 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}';
  const words = ['get', 'nodes', '--field-selector', `metadata.name=${name}`, '-o', path];
  await eventually(`Ready of ${name} is ${status}`, async () => (await kubectl(words)) === status);
}
