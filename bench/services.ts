/**
 * What Services cost in each mode: the load of the whole table, the way from an endpoint's change to the first connection that
 * the new one answers, connections through a cluster address, and the agent's share. Each mode and size runs in a process and
 * in network and mount namespaces of its own.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Row } from './report.js';
import type { ModeFigures, ModeOptions } from './services-mode.js';

export interface ServicesOptions {
  readonly sizes: readonly number[];
  readonly rounds: number;
}

const modes = ['nftables', 'ipvs', 'iptables', 'userspace'] as const;
const endpoints = 3;
const patienceMs = 300_000;

export function benchServices({ sizes, rounds }: ServicesOptions): Row[] {
  return modes.flatMap(mode =>
    sizes.flatMap(services =>
      rowsOf({ mode, services, endpoints, rounds: mode === 'iptables' ? Math.min(rounds, 10) : rounds }),
    ),
  );
}

function measure(options: ModeOptions): ModeFigures | { readonly missing: string } {
  const program = fileURLToPath(new URL('./services-mode.js', import.meta.url));
  const up = 'ip link set lo up && exec "$@"';
  const command = ['sh', '-c', up, 'sh', process.execPath, program, JSON.stringify(options)];
  const { status, stdout, error } = spawnSync('unshare', ['-n', '-m', '--propagation', 'private', ...command], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: patienceMs,
  });
  if (status !== 0)
    throw new Error(`bench/services-mode ended with ${status} in mode ${options.mode}`, { cause: error });
  return JSON.parse(stdout) as ModeFigures;
}

function rowsOf(options: ModeOptions): Row[] {
  const found = measure(options);
  const { mode, services } = options;
  const row = (what: string, value: number, unit: string, rest: Partial<Row> = {}): Row => ({
    part: 'services',
    what: `${mode}, ${services} Services: ${what}`,
    value,
    unit,
    ...rest,
  });
  if ('missing' in found) return [row('not measured here', Number.NaN, '', { note: found.missing.slice(0, 80) })];
  const { load, change, apply, connections, processor, reference } = found;
  const isNft = mode === 'nftables';
  const big = isNft && services === 10_000;
  return [
    row(`table of ${endpoints} endpoints each into the kernel, median`, load.median, 'ms', {
      note: `${load.spread}; the table itself takes ${found.tableMs.toFixed(0)} ms before`,
      ...(reference && { reference }),
      ...(big && { target: { of: 'value', sense: 'at most', bound: 500 } as const }),
    }),
    row('endpoint changed → first answer of the new one, median', change.median, 'ms', {
      note: change.spread,
      ...(big && { target: { of: 'value', sense: 'at most', bound: 10 } as const }),
    }),
    row('one change into the kernel, median', apply.median, 'ms', {
      note: apply.spread,
      ...(mode === 'iptables' && { reference: { name: 'whole restore', value: load.median } }),
    }),
    row('connections through a cluster address', connections.service, '/s', {
      reference: { name: 'direct', value: connections.direct },
      note: 'one Node.js client, 16 at a time',
    }),
    row('processor of 100 endpoint changes a second', processor.percent, '% of a core', {
      note: `${processor.changes} changes in ${processor.seconds.toFixed(1)} s; programs it starts included`,
    }),
  ];
}
