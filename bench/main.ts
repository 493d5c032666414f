/**
 * All benches in one go, on one machine: `npm run bench [-- PART…] [--json] [--quick]`. Parts: sandbox, pods, deployments,
 * api, memory, scheduler, life, dns, services.
 * KEELSON_TEST_STATE names the folder for the clusters' state, on the file system to be measured; default /tmp.
 * Every loop is bounded, every request goes to loopback, and everything runs in namespaces of its own.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benchApi } from './api-load.js';
import { conditionsNow, describeConditions } from './conditions.js';
import { benchDeployments } from './deployments.js';
import { benchDns } from './dns.js';
import { benchDeployment } from './hollow.js';
import { benchLife } from './life.js';
import { benchMemory } from './memory.js';
import { benchPods, stateFolder } from './pods.js';
import { isMet, type Row, ratioOf, tableOf } from './report.js';
import { benchScheduler } from './scheduler.js';
import { benchServices } from './services.js';

interface Scale {
  readonly quick: boolean;
}

const parts: Readonly<Record<string, (scale: Scale) => Promise<Row[]> | Row[]>> = {
  sandbox: ({ quick }) => benchSandbox(quick ? ['--rounds', '10', '--living', '1,100'] : []),
  pods: ({ quick }) => benchPods(quick ? { singles: 10, rounds: 2 } : { singles: 30, rounds: 5 }),
  deployments: ({ quick }) => benchDeployments({ rounds: quick ? 1 : 3 }),
  api: ({ quick }) =>
    benchApi(quick ? { requests: 500, watchers: 100, pods: 500 } : { requests: 2000, watchers: 1000, pods: 10_000 }),
  memory: ({ quick }) => benchMemory(quick ? 20 : 100),
  dns: ({ quick }) => benchDns({ services: 10_000, queries: quick ? 20_000 : 200_000 }),
  services: ({ quick }) => benchServices({ sizes: quick ? [10, 1000] : [10, 1000, 10_000], rounds: 30 }),
  life: ({ quick }) =>
    benchLife(quick ? { rounds: 5, pods: 20, windowMs: 5000 } : { rounds: 30, pods: 200, windowMs: 20_000 }),
  scheduler: async ({ quick }) => [
    ...(await benchScheduler(quick ? { nodes: 200, pods: 500 } : { nodes: 1000, pods: 3000 })),
    ...(await benchDeployment(quick ? { nodes: 50, pods: 500 } : { nodes: 200, pods: 5000 })),
  ],
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
});
process.exitCode = await main();

async function main(): Promise<number> {
  const unknown = positionals.find(name => !Object.hasOwn(parts, name));
  if (unknown !== undefined) return fail(`unknown part "${unknown}"; allowed: ${Object.keys(parts).join(', ')}`);
  if (process.getuid?.() !== 0) return fail('it makes namespaces and pods, so it must run as root');
  const conditions = conditionsNow(stateFolder);
  if (!values.json) process.stdout.write(`${describeConditions(conditions)}\n\n`);
  const rows: Row[] = [];
  for (const name of positionals.length > 0 ? positionals : Object.keys(parts)) {
    process.stderr.write(`bench: ${name} …\n`);
    rows.push(...(await parts[name]!({ quick: values.quick })));
  }
  const shown = rows.map(row => ({ ...row, ratio: ratioOf(row), met: isMet(row) }));
  process.stdout.write(
    values.json ? `${JSON.stringify({ conditions, rows: shown }, undefined, 2)}\n` : `${tableOf(rows)}\n`,
  );
  return 0;
}

function fail(message: string): number {
  process.stderr.write(`bench: ${message}\n`);
  return 2;
}

interface SandboxRow {
  readonly living: number;
  readonly part: string;
  readonly addonUs: number;
  readonly floorUs: number;
}

/** A process of its own, since it starts itself again in namespaces. */
function benchSandbox(flags: readonly string[]): Row[] {
  const program = fileURLToPath(new URL('./sandbox.js', import.meta.url));
  const { status, stdout } = spawnSync(process.execPath, [program, '--json', ...flags], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`bench/sandbox ended with ${status}.`);
  const { rows, rounds } = JSON.parse(stdout) as { rows: SandboxRow[]; rounds: number };
  return rows.map(({ living, part, addonUs, floorUs }) => ({
    part: 'sandbox',
    what: `${part} with ${living} living, median`,
    value: addonUs,
    unit: 'µs',
    reference: { name: 'bare C', value: floorUs },
    note: `n=${rounds}`,
    ...(part === 'create' && { target: { of: 'ratio', sense: 'at most', bound: 1.3 } as const }),
  }));
}
