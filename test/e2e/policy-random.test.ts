/** Random NetworkPolicies on two nodes and in both families, against what their documentation says. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../helpers/cluster.js';
import { isAllowed, type ModelPod, namespaces, policiesAbout } from '../helpers/policy-model.js';

const ports = [8080, 8081];
const rounds = 8;
const seed = Number(process.env['KEELSON_SEED'] ?? 20_261_121);

const serverCode = `
const { createServer } = require('node:net');
let open = 0;
for (const port of ${JSON.stringify(ports)}) createServer(socket => socket.on('error', () => {}).end('x')).listen(port, '::', () => ++open === 2 && console.log('up'));
`;
const probeCode = `
const { connect } = require('node:net');
const targets = JSON.parse(process.argv[1]);
const reaches = ([host, port]) => new Promise(resolve => {
  const socket = connect({ host, port });
  const end = answer => { socket.destroy(); resolve(answer); };
  socket.once('connect', () => end(true)).once('error', () => end(false));
  setTimeout(() => end(false), 800);
});
Promise.all(targets.map(reaches)).then(all => console.log(JSON.stringify(all)));
`;

interface RunningPod extends ModelPod {
  readonly pid: number;
}

let cluster: Cluster;
let pods: RunningPod[];
const servers: ChildProcess[] = [];

const commandOf = (i: number): string => `sleep ${4_000_000 + process.pid * 10 + i}`;
const wanted = [
  ['x', 'a'],
  ['x', 'b'],
  ['x', 'c'],
  ['y', 'a'],
  ['y', 'b'],
] as const;

/** A Node.js program in a pod's network. */
const inside = (pid: number, code: string, ...args: string[]): ChildProcess =>
  spawn('nsenter', ['--target', String(pid), '--net', '--', process.execPath, '-e', code, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });

beforeAll(async () => {
  cluster = await startCluster({
    flags: [
      ...['--nodes', '2', '--cluster-cidr', '10.244.0.0/16,fd00:10:244::/56'],
      ...['--service-cidr', '10.96.0.0/12,fd00:10:96::/112'],
    ],
  });
  await cluster.apply(
    ...Object.entries(namespaces).map(([name, labels]) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels },
    })),
  );
  await cluster.apply(...wanted.map(([namespace, name], i) => podObject(namespace, name, i)));
  await cluster.kubectl('wait', '--for=condition=Ready', 'pod', '--all', '-A', '--timeout=60s');
  pods = await Promise.all(wanted.map(([namespace, name], i) => running(namespace, name, i)));
  for (const { pid } of pods) {
    const server = inside(pid, serverCode);
    servers.push(server);
    await once(server.stdout!, 'data');
  }
});
afterAll(async () => {
  for (const server of servers) server.kill();
  await cluster[Symbol.asyncDispose]();
});

/** The second port of `c` has another name, so that a name is not the same number everywhere. */
const namedPorts = (name: string): Record<string, number> =>
  name === 'c' ? { first: 8081, second: 8080 } : { first: 8080, second: 8081 };

const podObject = (namespace: string, name: string, i: number) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, labels: { pod: name } },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: 'c',
        image: 'localhost/busybox:1',
        command: ['sh', '-c', `exec ${commandOf(i)}`],
        ports: Object.entries(namedPorts(name)).map(([port, containerPort]) => ({ name: port, containerPort })),
      },
    ],
  },
});

async function running(namespace: string, name: string, i: number): Promise<RunningPod> {
  const { status } = JSON.parse(await cluster.kubectl('-n', namespace, 'get', 'pod', name, '-o', 'json')) as {
    status: { podIPs: { ip: string }[] };
  };
  const pid = Number((await cluster.enter('pgrep', '-xf', commandOf(i))).trim());
  const addresses = status.podIPs.map(({ ip }) => ip);
  return { namespace, name, pid, addresses, labels: { pod: name }, ports: namedPorts(name) };
}

interface Attempt {
  readonly to: RunningPod;
  readonly port: number;
  readonly family: 0 | 1;
}
const attempts = (): Attempt[] =>
  pods.flatMap(to => ports.flatMap(port => ([0, 1] as const).map(family => ({ to, port, family }))));

/** What differs from the model, in words. */
async function differences(policies: Parameters<typeof isAllowed>[0]): Promise<string[]> {
  const all = await Promise.all(
    pods.map(async from => {
      const targets = attempts();
      const what = JSON.stringify(targets.map(({ to, port, family }) => [to.addresses[family], port]));
      const probe = inside(from.pid, probeCode, what);
      let text = '';
      probe.stdout?.on('data', part => {
        text += part;
      });
      await once(probe, 'close');
      const found = JSON.parse(text) as boolean[];
      return targets.flatMap((target, i) => {
        const allowed = isAllowed(policies, { from, ...target });
        const { to, port, family } = target;
        const way = `${from.namespace}/${from.name} → ${to.namespace}/${to.name}:${port} (IPv${family === 0 ? 4 : 6})`;
        return allowed === found[i] ? [] : [`${way} should be ${allowed ? 'allowed' : 'refused'}`];
      });
    }),
  );
  return all.flat();
}

test(`${rounds} sets of policies (KEELSON_SEED=${seed})`, async () => {
  for (const policies of fc.sample(policiesAbout(pods), { numRuns: rounds, seed })) {
    await cluster.kubectl('delete', 'networkpolicy', '--all', '-A');
    await cluster.apply(...policies);
    // the rules come by the link; once they are there, they are what they are
    let wrong = await differences(policies);
    for (const until = Date.now() + 10_000; wrong.length > 0 && Date.now() < until; )
      wrong = await differences(policies);
    expect(wrong, JSON.stringify(policies)).toEqual([]);
  }
}, 180_000);
