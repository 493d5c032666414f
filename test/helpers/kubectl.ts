/** The real kubectl against a server of the test's own: its binary, a fresh HOME each time, and a way to run it. */
import { type ChildProcess, execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = new URL('../..', import.meta.url).pathname;

/** Path of kubectl 1.<minor>, fetched into .cache at the first use. */
export function kubectlPath(minor = 35): string {
  return execFileSync(process.execPath, [join(root, 'scripts/fetch-kubectl.mjs'), String(minor)], {
    encoding: 'utf8',
  }).trim();
}

export interface KubectlResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Kubectl {
  readonly path: string;
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  /** Runs to the end, whatever the exit code. */
  run(args: readonly string[], options?: { input?: string; timeoutMs?: number }): Promise<KubectlResult>;
  /** The output of a command that must succeed; a failure throws with everything it said. */
  ok(...args: string[]): Promise<string>;
  /** Writes a file into the home and returns its path. */
  file(name: string, content: string): string;
  close(): void;
}

/** @param kubeconfig its text */
export function kubectl(kubeconfig: string, minor = 35): Kubectl {
  const path = kubectlPath(minor);
  const home = mkdtempSync(join(tmpdir(), 'keelson-kubectl-'));
  const config = join(home, 'config');
  writeFileSync(config, kubeconfig, { mode: 0o600 });
  const env = { PATH: process.env.PATH, HOME: home, KUBECONFIG: config };
  const running = new Set<ChildProcess>();
  const run: Kubectl['run'] = (args, { input, timeoutMs = 30_000 } = {}) =>
    new Promise(resolve => {
      const child = execFile(
        path,
        args,
        { env, timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 64 * 1024 * 1024 },
        (error, stdout, stderr) => {
          running.delete(child);
          resolve({ code: error ? (typeof error.code === 'number' ? error.code : -1) : 0, stdout, stderr });
        },
      );
      running.add(child);
      child.stdin?.end(input ?? '');
    });
  const ok: Kubectl['ok'] = async (...args) => {
    const { code, stdout, stderr } = await run(args);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: exit ${code}\n${stdout}${stderr}`);
    return stdout;
  };
  const file: Kubectl['file'] = (name, content) => {
    writeFileSync(join(home, name), content);
    return join(home, name);
  };
  const close = (): void => {
    for (const child of running) child.kill('SIGKILL');
    rmSync(home, { recursive: true, force: true });
  };
  return { path, home, env, run, ok, file, close };
}
