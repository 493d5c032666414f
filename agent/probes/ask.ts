/** One question to one container, by whichever way its probe names. */
import type { Container, Probe } from '../../src/kube/pod.js';
import type { ContainerStreams } from '../containers/contract.js';
import { runCommand } from './exec.js';
import { grpcProbe } from './grpc.js';
import { httpProbe, urlOf } from './http.js';
import { portNumber } from './port.js';
import type { ProbeResult } from './prober.js';
import { tcpProbe } from './tcp.js';

/** What probes and hooks reach of a container. */
export interface ProbeTarget {
  readonly container: Container;
  readonly podIP: string;
  readonly exec: (command: readonly string[]) => Promise<ContainerStreams>;
}

/** Rejects if nothing can be said: no such port, a command that cannot be started. */
export async function askProbe(target: ProbeTarget, probe: Probe, timeoutMs: number): Promise<ProbeResult> {
  const { container, podIP } = target;
  if (probe.exec) return execProbe(target, probe.exec.command ?? [], timeoutMs);
  if (probe.httpGet) return httpProbe(urlOf(probe.httpGet, container, podIP), probe.httpGet, timeoutMs);
  if (probe.tcpSocket)
    return tcpProbe(probe.tcpSocket.host || podIP, portNumber(probe.tcpSocket.port, container), timeoutMs);
  if (probe.grpc) return grpcProbe(podIP, probe.grpc.port, probe.grpc.service ?? '', timeoutMs);
  throw new Error(`missing probe handler for container ${container.name}`);
}

async function execProbe(target: ProbeTarget, command: readonly string[], timeoutMs: number): Promise<ProbeResult> {
  const signal = AbortSignal.timeout(timeoutMs);
  const { code, output } = await runCommand(await target.exec(command), signal);
  if (code === 0) return { result: 'success', output };
  if (code !== undefined) return { result: 'failure', output };
  return {
    result: 'failure',
    output: `command timed out: "${command.join(' ')}" timed out after ${timeoutMs / 1000}s`,
  };
}
