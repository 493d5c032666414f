/** `keelson inspect service`: the way of a packet to a Service, on the node where it is asked. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { NodeFacts } from '../../../agent/proxy/contract.js';
import { inspectService, type ServiceReport } from '../../../agent/proxy/inspect.js';
import { serviceNameLabel } from '../../../agent/proxy/table.js';
import { UserError } from '../../base/errors.js';
import type { Service } from '../../kube/api/core-v1.js';
import type { EndpointSlice } from '../../kube/api/discovery-v1.js';
import type { KubeObject } from '../../kube/meta.js';
import { apiRequest, succeeded } from '../api-request.js';
import { enterWords, findHolder } from '../isolation.js';
import { outputOption, paint, table } from '../output.js';
import { addSettings, nodeCredentials, type Settings, settingsFrom } from '../settings.js';

/** Set for the command that looks from within an isolated node's namespaces. */
const insideMarker = 'KEELSON_INSPECT_INSIDE';

export function registerInspectService(inspect: Command): void {
  addSettings(inspect.command('service <name>'), ['isolated', 'data-dir', 'run-dir', 'node-name', 'kubeconfig'])
    .description('the way of a packet to a Service on this node: each rule it meets, in words (NAME or NAMESPACE/NAME)')
    .addOption(outputOption())
    .addHelpText('after', '\nExample:\n  keelson inspect service default/web --isolated demo\n')
    .action(async (name: string, flags: { output: string }) => {
      if (process.env[insideMarker] !== undefined)
        return say(JSON.parse(readFileSync(0, 'utf8')) as Known, flags.output);
      const settings = settingsFrom(flags as never);
      const known = await ask(name, settings);
      if (settings.isolated === undefined) await say(known, flags.output);
      else lookInside(settings, known);
    });
}

/** What the API tells. */
interface Known {
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
  readonly node: NodeFacts;
}

async function say({ service, slices, node }: Known, output: string): Promise<void> {
  const report = await inspectService(service, slices, node);
  process.stdout.write(output === 'json' ? `${JSON.stringify(report, null, 2)}\n` : `${render(report)}\n`);
}

/** The API is served where we are, but the node's rules are in its own namespaces: the same command looks there. */
function lookInside({ isolated, runDir }: Settings, known: Known): void {
  const holder = findHolder(runDir);
  if (!holder)
    throw new UserError(`no isolated node "${isolated}" runs here`, `start one: keelson up --isolated ${isolated}`);
  const [program = '', ...args] = [...enterWords(holder), process.execPath, ...process.argv.slice(1)];
  const { status } = spawnSync(program, args, {
    input: JSON.stringify(known),
    stdio: ['pipe', 'inherit', 'inherit'],
    env: { ...process.env, [insideMarker]: '1' },
  });
  process.exitCode = status ?? 1;
}

/** The administrator's; on a machine that has only joined, the node's own. */
function credentialsOf(settings: Settings): string {
  const own = nodeCredentials(settings);
  return !existsSync(settings.kubeconfig) && existsSync(own) ? own : settings.kubeconfig;
}

async function ask(wanted: string, settings: Settings): Promise<Known> {
  const { nodeName } = settings;
  const kubeconfig = credentialsOf(settings);
  const [namespace, name] = wanted.includes('/') ? wanted.split('/', 2) : ['default', wanted];
  const get = async <T>(path: string): Promise<T> =>
    succeeded(await apiRequest(kubeconfig, 'GET', path), `service ${namespace}/${name}`) as T;
  const service = await get<Service>(`/api/v1/namespaces/${namespace}/services/${name}`);
  const selector = encodeURIComponent(`${serviceNameLabel}=${name}`);
  const { items } = await get<{ items: EndpointSlice[] }>(
    `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?labelSelector=${selector}`,
  );
  const { metadata } = await get<KubeObject>(`/api/v1/nodes/${nodeName}`);
  const zone = metadata.labels?.['topology.kubernetes.io/zone'];
  return { service, slices: items, node: { name: nodeName, zone } };
}

function render({ service, mode, none, ways }: ServiceReport): string {
  const head = `${paint('service', 'bold')} ${service}, mode ${mode ?? 'none'}`;
  if (none !== undefined) return `${head}\n${none}`;
  const blocks = ways.map(({ address, kind, portName, present, steps }) => {
    const title = `${paint(address, 'bold')}  ${kind}${portName ? `, port ${portName}` : ''}`;
    const lines = table(steps.map(({ at, words }, i) => [`  ${i + 1}.`, at, words]));
    return `${title}${present ? '' : '  NOT IN THE KERNEL NOW'}\n${lines}`;
  });
  return [head, ...blocks].join('\n\n');
}
