/** Whether somebody accepts connections. */
import { connect } from 'node:net';
import { codeOf, describe } from '../../src/base/errors.js';
import { address } from './port.js';
import type { ProbeResult } from './prober.js';

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  ETIMEDOUT: 'connect: connection timed out',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ENOTFOUND: 'lookup: no such host',
  ECONNRESET: 'read: connection reset by peer',
};

/** As Go's net package words it. */
export const dialError = (host: string, port: number, error: unknown): string =>
  `dial tcp ${address(host, port)}: ${words[codeOf(error) ?? ''] ?? describe(error)}`;

export function tcpProbe(host: string, port: number, timeoutMs: number): Promise<ProbeResult> {
  return new Promise(resolve => {
    const socket = connect({ host, port });
    const settle = (result: ProbeResult): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    const timer = setTimeout(
      () => settle({ result: 'failure', output: `dial tcp ${address(host, port)}: i/o timeout` }),
      timeoutMs,
    );
    socket.once('connect', () => settle({ result: 'success', output: '' }));
    socket.on('error', error => settle({ result: 'failure', output: dialError(host, port, error) }));
  });
}
