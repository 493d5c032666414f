/** `keelson inspect service`: the way of a packet to a Service, on the node where it is asked. */
import type { Command } from 'commander';
import { inspectService, type ServiceReport } from '../../../agent/proxy/inspect.js';
import { serviceNameLabel } from '../../../agent/proxy/table.js';
import { UserError } from '../../base/errors.js';
import type { Service } from '../../kube/api/core-v1.js';
import type { EndpointSlice } from '../../kube/api/discovery-v1.js';
import type { KubeObject } from '../../kube/meta.js';
import { apiRequest, succeeded } from '../api-request.js';
import { enterWords, findHolder } from '../isolation.js';
import { outputOption, paint, table } from '../output.js';
import { addSettings, type Settings, settingsFrom } from '../settings.js';
import { run } from './enter.js';

/** Set for the command that looks from within an isolated node's namespaces. */
const insideMarker = 'KEELSON_INSPECT_INSIDE';

export function registerInspectService(inspect: Command): void {
  addSettings(inspect.command('service <name>'), ['isolated', 'data-dir', 'run-dir', 'node-name', 'kubeconfig'])
    .description('the way of a packet to a Service on this node: each rule it meets, in words (NAME or NAMESPACE/NAME)')
    .addOption(outputOption())
    .addHelpText('after', '\nExample:\n  keelson inspect service default/web --isolated demo\n')
    .action(async (name: string, flags: { output: string }) => {
      const settings = settingsFrom(flags as never);
      if (settings.isolated !== undefined && process.env[insideMarker] === undefined) return enterNode(settings);
      const report = await look(name, settings);
      process.stdout.write(flags.output === 'json' ? `${JSON.stringify(report, null, 2)}\n` : `${render(report)}\n`);
    });
}

/** The same command, where the node's rules are. */
async function enterNode({ isolated, runDir }: Settings): Promise<void> {
  const holder = findHolder(runDir);
  if (!holder)
    throw new UserError(`no isolated node "${isolated}" runs here`, `start one: keelson up --isolated ${isolated}`);
  process.env[insideMarker] = '1';
  process.exitCode = await run([...enterWords(holder), process.execPath, ...process.argv.slice(1)]);
}

async function look(wanted: string, { kubeconfig, nodeName }: Settings): Promise<ServiceReport> {
  const [namespace, name] = wanted.includes('/') ? wanted.split('/', 2) : ['default', wanted];
  const get = async <T>(path: string): Promise<T> =>
    succeeded(await apiRequest(kubeconfig, 'GET', path), `service ${namespace}/${name}`) as T;
  const service = await get<Service>(`/api/v1/namespaces/${namespace}/services/${name}`);
  const selector = encodeURIComponent(`${serviceNameLabel}=${name}`);
  const { items } = await get<{ items: EndpointSlice[] }>(
    `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?labelSelector=${selector}`,
  );
  const node = await get<KubeObject>(`/api/v1/nodes/${nodeName}`);
  return inspectService(service, items, {
    name: nodeName,
    zone: node.metadata.labels?.['topology.kubernetes.io/zone'],
  });
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
