/** NetworkPolicies as packets meet them: between pods, from the node, to names and to blocks of addresses. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, eventually, startCluster } from '../helpers/cluster.js';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
  await cluster.kubectl('create', 'namespace', 'other');
  await cluster.kubectl('label', 'namespace', 'other', 'team=b');
  await cluster.apply(server('web'), server('db'), client('friend', 'default', 1), client('stranger', 'other', 2));
  await cluster.kubectl('wait', '--for=condition=Ready', 'pod', '--all', '-A', '--timeout=60s');
});
afterAll(async () => cluster[Symbol.asyncDispose]());

const container = (command: string, more: object = {}) => ({
  name: 'c',
  image: 'localhost/busybox:1',
  command: ['sh', '-c', command],
  ...more,
});
const pod = (name: string, namespace: string, c: object, labels: object) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, labels },
  spec: { terminationGracePeriodSeconds: 0, containers: [c] },
});
const serve = 'mkdir /w; hostname > /w/index.html; httpd -p 8081 -h /w; exec httpd -f -p 8080 -h /w';
const server = (name: string) =>
  pod(name, 'default', container(serve, { ports: [{ name: 'http', containerPort: 8080 }] }), { app: name });
const commandOf = (number: number) => `sleep ${3_000_000 + process.pid * 10 + number}`;
const client = (name: string, namespace: string, number: number) =>
  pod(name, namespace, container(`exec ${commandOf(number)}`), { app: name });
const policy = (name: string, spec: object, namespace = 'default') => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, namespace },
  spec,
});

const addressOf = (name: string) => cluster.kubectl('get', 'pod', name, '-o', 'jsonpath={.status.podIP}');
const curl = ['curl', '-sS', '-o', '/dev/null', '-m', '1'];
const numbers = { friend: 1, stranger: 2 } as const;

/** Whether a client's connection comes through. */
async function reaches(who: keyof typeof numbers | 'node', url: string): Promise<boolean> {
  if (who === 'node')
    return cluster.enter(...curl, url).then(
      () => true,
      () => false,
    );
  const pid = (await cluster.enter('pgrep', '-xf', commandOf(numbers[who]))).trim().split('\n')[0] ?? '';
  return cluster.enter('nsenter', '-t', pid, '-n', ...curl, url).then(
    () => true,
    () => false,
  );
}
/** Whether it is answered by the cluster's DNS within a second. */
async function resolves(who: keyof typeof numbers): Promise<boolean> {
  const lookUp = ['timeout', '1', 'nslookup', '-type=a', 'kubernetes.default.svc.cluster.local.'];
  return (await cluster.tryKubectl(['exec', who, '--', ...lookUp])).code === 0;
}
/** Once rules have come down the link; then it stays so. */
const becomes = async (what: Record<string, boolean>, look: () => Promise<Record<string, boolean>>) => {
  await eventually(JSON.stringify(what), async () => JSON.stringify(await look()) === JSON.stringify(what)).catch(
    () => {},
  );
  expect(await look()).toEqual(what);
};
const all = async (name: string, port = 8080) => {
  const url = `http://${await addressOf(name)}:${port}/`;
  const [friend, stranger, node] = await Promise.all([
    reaches('friend', url),
    reaches('stranger', url),
    reaches('node', url),
  ]);
  return { friend, stranger, node };
};

test('without a policy everybody reaches everybody', async () => {
  expect(await all('web')).toEqual({ friend: true, stranger: true, node: true });
});

test('default deny: nobody but the node itself', async () => {
  await cluster.apply(policy('deny', { podSelector: { matchLabels: { app: 'web' } }, policyTypes: ['Ingress'] }));
  await becomes({ friend: false, stranger: false, node: true }, () => all('web'));
  expect(await all('db')).toEqual({ friend: true, stranger: true, node: true });
});

test('policies add up: pods of the namespace, then another namespace, by a named port', async () => {
  const own = { from: [{ podSelector: { matchLabels: { app: 'friend' } } }] };
  await cluster.apply(policy('own', { podSelector: { matchLabels: { app: 'web' } }, ingress: [own] }));
  await becomes({ friend: true, stranger: false, node: true }, () => all('web'));
  const other = {
    from: [{ namespaceSelector: { matchLabels: { team: 'b' } } }],
    ports: [{ protocol: 'TCP', port: 'http' }],
  };
  await cluster.apply(policy('other', { podSelector: { matchLabels: { app: 'web' } }, ingress: [other] }));
  await becomes({ friend: true, stranger: true, node: true }, () => all('web'));
  expect(await all('web', 8081)).toEqual({ friend: true, stranger: false, node: true });
  await cluster.kubectl('label', 'namespace', 'other', 'team-');
  await becomes({ friend: true, stranger: false, node: true }, () => all('web'));
  await cluster.kubectl('label', 'namespace', 'other', 'team=b');
});

test('a pod is isolated from its first packet on, and its label decides', async () => {
  await cluster.apply(server('late'), policy('late', { podSelector: { matchLabels: { app: 'late' } } }));
  await cluster.kubectl('wait', '--for=condition=Ready', 'pod/late', '--timeout=30s');
  expect(await all('late')).toEqual({ friend: false, stranger: false, node: true });
  await cluster.kubectl('label', 'pod', 'late', 'app=free', '--overwrite');
  await becomes({ friend: true, stranger: true, node: true }, () => all('late'));
});

test('egress: names and one peer only, then a block with an exception', async () => {
  const dns = {
    to: [{ namespaceSelector: {}, podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }],
    ports: [{ protocol: 'UDP', port: 53 }],
  };
  const friend = { podSelector: { matchLabels: { app: 'friend' } }, policyTypes: ['Egress'] };
  const db = { to: [{ podSelector: { matchLabels: { app: 'db' } } }], ports: [{ protocol: 'TCP', port: 'http' }] };
  const look = async () => ({
    db: (await all('db')).friend,
    dbOther: (await all('db', 8081)).friend,
    web: (await all('web')).friend,
    dns: await resolves('friend'),
  });
  await cluster.apply(policy('out', { ...friend, egress: [] }));
  await becomes({ db: false, dbOther: false, web: false, dns: false }, look);
  await cluster.apply(policy('out', { ...friend, egress: [dns, db] }));
  await becomes({ db: true, dbOther: false, web: false, dns: true }, look);
  const block = { to: [{ ipBlock: { cidr: '10.244.0.0/16', except: [`${await addressOf('db')}/32`] } }] };
  await cluster.apply(policy('out', { ...friend, egress: [block] }));
  await becomes({ db: false, dbOther: false, web: true, dns: false }, look);
});

test('a policy that goes while no agent is there is gone for the next one', async () => {
  await cluster.apply(policy('brief', { podSelector: { matchLabels: { app: 'db' } } }));
  await becomes({ friend: false, stranger: false, node: true }, () => all('db'));
  const others = ['deny', 'own', 'other', 'late', 'out'];
  const agent = cluster.pidOf('agent');
  process.kill(agent, 'SIGSTOP');
  await cluster.kubectl('delete', 'networkpolicy', 'brief', ...others, '--ignore-not-found');
  process.kill(agent, 'SIGKILL');
  await becomes({ friend: true, stranger: true, node: true }, () => all('db'));
  await cluster.apply(
    policy('other', {
      podSelector: { matchLabels: { app: 'web' } },
      ingress: [
        {
          from: [{ namespaceSelector: { matchLabels: { team: 'b' } } }],
          ports: [{ protocol: 'TCP', port: 'http' }],
        },
      ],
    }),
  );
  await eventually('it holds', async () => !(await all('web', 8081)).stranger);
});

test('rules survive the agent, are restored when somebody takes them, and go with the policies', async () => {
  await cluster.crash('agent');
  expect((await all('web')).stranger).toBe(true);
  expect((await all('web', 8081)).stranger).toBe(false);
  await eventually('exec works', async () => (await cluster.tryKubectl(['exec', 'friend', '--', 'true'])).code === 0);
  await cluster.enter('nft', 'delete', 'table', 'ip', 'keelson_policies');
  await eventually('they are back', async () => !(await all('web', 8081)).stranger);
  const text = await cluster.kubectl('describe', 'networkpolicy', 'other');
  expect(text).toContain('NamespaceSelector: team=b');
  await cluster.kubectl('delete', 'networkpolicy', '--all');
  await becomes({ friend: true, stranger: true, node: true }, () => all('web', 8081));
  expect(await cluster.enter('nft', 'list', 'tables')).not.toContain('keelson_policies');
});
