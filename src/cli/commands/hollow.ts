/** `keelson hollow`: simulated nodes for a controller on this machine, to try what only many nodes show. */

import { join } from 'node:path';
import { connect } from 'node:tls';
import type { Command } from 'commander';
import { openPki } from '../../api/pki.js';
import { UserError } from '../../base/errors.js';
import { createLogger } from '../../base/log.js';
import { lockHolder } from '../../base/process-lock.js';
import { version } from '../../base/version.js';
import { startFleet } from '../../hollow/fleet.js';
import { quantityProblem } from '../../kube/quantity.js';
import { untilStopped } from '../lifetime.js';
import { outputOption } from '../output.js';
import { addSettings, controllerSocket, type Settings, settingsFrom } from '../settings.js';

interface Flags {
  nodes: string;
  podsPerNode: string;
  cpu: string;
  memory: string;
  zones: string;
  prefix: string;
  startDelay: string;
  stopDelay: string;
  output: string;
}

const example = `
Example:
  keelson hollow --nodes 200 --pods-per-node 50 --zones 3
  keelson hollow --isolated demo --nodes 20 --prefix spot- -o json

Runs until it is stopped; to lose nodes, stop it. Needs the controller's data directory, for their certificates.
A pod with the annotation hollow.keelson.dev/run-seconds ends by itself, with hollow.keelson.dev/exit-code (default 0).
`;

export function registerHollow(program: Command): void {
  addSettings(program.command('hollow'), ['isolated', 'data-dir', 'run-dir'])
    .description('simulated nodes: they say that they run their pods, and run nothing')
    .option('--nodes <n>', 'how many, at most 5000', '10')
    .option('--pods-per-node <n>', 'how many pods each takes, at most 1000', '110')
    .option('--cpu <quantity>', 'CPUs that each says it has', '32')
    .option('--memory <quantity>', 'memory that each says it has', '128Gi')
    .option('--zones <n>', 'spread over so many zones (label topology.kubernetes.io/zone); 0: no zones', '0')
    .option('--prefix <text>', 'names are this and a number', 'hollow-')
    .option('--start-delay <ms>', 'from a pod to its being ready', '0')
    .option('--stop-delay <ms>', 'from its deletion to its being gone', '0')
    .addOption(outputOption())
    .addHelpText('after', example)
    .action(async (flags: Flags & { isolated?: string }) => {
      const settings = settingsFrom(flags);
      const stopped = untilStopped();
      const fleet = await start(settings, flags);
      const text =
        flags.output === 'json'
          ? JSON.stringify({ ready: true, nodes: fleet.nodes.length, prefix: flags.prefix })
          : `ready nodes=${fleet.nodes.length} first=${flags.prefix}0`;
      process.stdout.write(`${text}\n`);
      await stopped;
      fleet.stop();
      process.exit(0);
    });
}

async function start(settings: Settings, flags: Flags) {
  const count = integer('--nodes', flags.nodes, 1, 5000);
  const common = {
    capacity: {
      cpu: quantity('--cpu', flags.cpu),
      memory: quantity('--memory', flags.memory),
      pods: integer('--pods-per-node', flags.podsPerNode, 1, 1000),
    },
    zones: integer('--zones', flags.zones, 0, 5000),
    startDelayMs: integer('--start-delay', flags.startDelay, 0, 3_600_000),
    stopDelayMs: integer('--stop-delay', flags.stopDelay, 0, 3_600_000),
    heartbeatMs: 10_000,
    url: 'wss://keelson-controller/link/v1',
    version,
    log: createLogger('hollow'),
  };
  if (!/^[a-z0-9]([-a-z0-9]{0,40})$/.test(flags.prefix))
    throw new UserError(`--prefix "${flags.prefix}": lower-case letters, digits and "-" are allowed, at most 41`);
  if (lockHolder(join(settings.dataDir, 'controller.lock')) === undefined)
    throw new UserError(
      `no controller runs with data directory ${settings.dataDir}`,
      'start one: keelson controller --data-dir DIR; and name the same --data-dir and --run-dir here',
    );
  const pki = await openPki(join(settings.dataDir, 'pki'));
  return startFleet(count, async index => {
    const name = `${flags.prefix}${index}`;
    const { certificate, key } = await pki.nodeCertificate(name);
    const tls = { path: controllerSocket(settings), ca: pki.ca, cert: certificate, key, servername: 'localhost' };
    const createConnection = (() => connect({ ...tls, ALPNProtocols: ['http/1.1'] })) as never;
    return { ...common, name, index, socket: () => ({ createConnection }) };
  });
}

function integer(flag: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most)
    throw new UserError(`${flag} "${text}": a whole number from ${least} to ${most} is allowed`);
  return value;
}

function quantity(flag: string, text: string): string {
  if (quantityProblem(text) !== undefined || text.startsWith('-'))
    throw new UserError(`${flag} "${text}": a quantity such as 4, 500m or 16Gi is allowed`);
  return text;
}
