/** `keelson ingress`: serves Ingress objects with a real nginx, here or where an isolated node lives. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { type AddressInfo, type LinkInfo, netlink } from '../../../native/index.js';
import { UserError } from '../../base/errors.js';
import { createLogger } from '../../base/log.js';
import { clusterAddresses } from '../../base/service-cidr.js';
import { IngressController } from '../../ingress/controller.js';
import { readKubeconfig } from '../api-request.js';
import { enterWords, findHolder } from '../isolation.js';
import { untilStopped } from '../lifetime.js';
import { addSettings, type Settings, settingsFrom } from '../settings.js';
import { insideVariable } from './agent.js';
import { run } from './enter.js';

interface Flags {
  server?: string;
  httpPort: string;
  httpsPort: string;
  nginx: string;
  ingressClass: string;
  publishAddress?: string;
}

const example = `
Example:
  keelson ingress --isolated demo
  keelson ingress --kubeconfig /etc/keelson/admin.kubeconfig --http-port 8080 --https-port 8443

Makes the IngressClass "nginx" and the default one. A backend is its Service's cluster address, so it has to run where
Services are reached: on a node. nginx is Debian's package nginx-light. Runs until it is stopped.
`;

export function registerIngress(program: Command): void {
  addSettings(program.command('ingress'), ['isolated', 'data-dir', 'run-dir', 'kubeconfig', 'service-cidr'])
    .description('serve Ingress objects with nginx (root)')
    .option('--server <url>', 'the API, if it is not where the kubeconfig says')
    .option('--http-port <port>', 'where HTTP is served', '80')
    .option('--https-port <port>', 'where HTTPS is served', '443')
    .option('--nginx <file>', 'program', 'nginx')
    .option('--ingress-class <name>', 'the class that is made and served', 'nginx')
    .option('--publish-address <ip>', 'address for the status of Ingresses; default: the first of this node')
    .addHelpText('after', example)
    .action(async (flags: Flags) => {
      const settings = settingsFrom(flags as unknown as Record<string, string>);
      const inside = process.env[insideVariable] === settings.isolated;
      if (settings.isolated && !inside) process.exitCode = await runInside(settings);
      else await serve(settings, flags);
    });
}

async function runInside(settings: Settings): Promise<number> {
  const holder = findHolder(settings.runDir);
  if (!holder)
    throw new UserError(`node ${settings.isolated} does not run`, `try: keelson up --isolated ${settings.isolated}`);
  process.env[insideVariable] = settings.isolated;
  return run([...enterWords(holder), process.execPath, ...process.execArgv, ...process.argv.slice(1)]);
}

/** Of the API and the DNS, as they stand in URLs. */
function addressesInside(cidrs: readonly string[]): [api: string, dns: string] {
  const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address);
  const { api, dns } = clusterAddresses(cidrs);
  return [bracketed(api), bracketed(dns)];
}

async function serve(settings: Settings, flags: Flags): Promise<void> {
  const access = readKubeconfig(settings.kubeconfig);
  const [api, dns] = addressesInside(settings.serviceCIDRs);
  // the Service default/kubernetes: how the API is reached from inside any node
  const apiInside = `https://${api}:443`;
  const controller = new IngressController({
    access: { ...access, server: flags.server ?? (settings.isolated ? apiInside : access.server) },
    program: flags.nginx,
    directory: join(settings.runDir, 'ingress'),
    httpPort: port('--http-port', flags.httpPort),
    httpsPort: port('--https-port', flags.httpsPort),
    className: flags.ingressClass,
    addresses: [flags.publishAddress ?? (await ownAddress())],
    resolver: dns,
    hasIpv6: existsSync('/proc/net/if_inet6'),
    clusterDomain: 'cluster.local',
    log: createLogger('ingress'),
  });
  const stopped = untilStopped();
  await controller.makeClass();
  await Promise.race([controller.ready, stopped]);
  process.stdout.write(`ready http=${flags.httpPort} https=${flags.httpsPort} class=${flags.ingressClass}\n`);
  await stopped;
  await controller.close();
  process.exit(0);
}

function port(flag: string, text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0 && number < 65_536) return number;
  throw new UserError(`${flag} ${text}: a port from 1 to 65535 is allowed`);
}

async function ownAddress(): Promise<string> {
  // asked of the kernel: a bridge without pods has no carrier, and Node does not show it
  const [links, addresses] = (await netlink(null, [{ op: 'link.list' }, { op: 'address.list' }])) as [
    LinkInfo[],
    AddressInfo[],
  ];
  const loopback = links.find(({ name }) => name === 'lo')?.index;
  const found = addresses.find(({ family, index }) => family === 4 && index !== loopback);
  if (!found) throw new UserError('this node has no address to publish', 'name one with --publish-address');
  return found.address.split('/')[0] ?? '';
}
