/** A lifecycle hook of a container, once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe } from '../../src/base/errors.js';
import type { LifecycleHandler } from '../../src/kube/pod.js';
import type { ProbeTarget } from '../probes/ask.js';
import { runCommand } from '../probes/exec.js';
import { get, urlOf } from '../probes/http.js';
import { portNumber } from '../probes/port.js';
import { tcpProbe } from '../probes/tcp.js';

/** A hook over the network that is not answered within this time has failed, if its grace is not over before. */
const answerMs = 60_000;

/** Rejects in kubelet's words, also when the signal ends it. @param pod `name_namespace(uid)` */
export async function runHook(
  target: ProbeTarget,
  handler: LifecycleHandler,
  pod: string,
  signal: AbortSignal,
): Promise<void> {
  const of = `for Container "${target.container.name}" in Pod "${pod}" failed - error:`;
  if (handler.exec) {
    const { command = [] } = handler.exec;
    await execHook(target, command, signal).catch((error: unknown) => {
      throw new Error(`Exec lifecycle hook ([${command.join(' ')}]) ${of} ${describe(error)}`);
    });
  } else if (handler.httpGet) {
    const { httpGet } = handler;
    await (async () => get(urlOf(httpGet, target.container, target.podIP), httpGet, answerMs, signal))().catch(
      (error: unknown) => {
        throw new Error(`HTTP lifecycle hook (${httpGet.path ?? '/'}) ${of} ${describe(error)}`);
      },
    );
  } else if (handler.tcpSocket) await tcpHook(target, handler.tcpSocket, of);
  else if (handler.sleep) await sleep(handler.sleep.seconds * 1000, undefined, { signal });
}

async function execHook(target: ProbeTarget, command: readonly string[], signal: AbortSignal): Promise<void> {
  const { code, output } = await runCommand(await target.exec(command), signal);
  if (code === undefined) throw new Error(`command '${command.join(' ')}' was cut short, message: "${output}"`);
  if (code !== 0) throw new Error(`command '${command.join(' ')}' exited with ${code}: , message: "${output}"`);
}

async function tcpHook(
  target: ProbeTarget,
  { host, port }: NonNullable<LifecycleHandler['tcpSocket']>,
  of: string,
): Promise<void> {
  const { result, output } = await tcpProbe(host || target.podIP, portNumber(port, target.container), answerMs);
  if (result === 'failure') throw new Error(`TCP lifecycle hook (${port}) ${of} ${output}`);
}
