/** Ingresses as clients meet them: a real nginx before real Services, over HTTP, HTTPS and WebSocket. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, eventually, repository, startCluster } from '../helpers/cluster.js';

let cluster: Cluster;
let ingress: ChildProcess;
let log = '';
beforeAll(async () => {
  cluster = await startCluster();
  ingress = spawn(
    join(repository, 'bin/keelson'),
    ['ingress', ...cluster.flags, '--nginx', join(repository, '.cache/nginx/usr/sbin/nginx')],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  for (const stream of [ingress.stdout, ingress.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
  await cluster.apply(web('one'), web('two'), service('one'), service('two'), {
    ...service('bare'),
    spec: { clusterIP: 'None', selector: { app: 'one' }, ports: [{ port: 8080 }] },
  });
  await cluster.kubectl('rollout', 'status', 'deployment/one', '--timeout=60s');
  await cluster.kubectl('rollout', 'status', 'deployment/two', '--timeout=60s');
  await eventually('nginx serves', async () => log.includes('ready http=80'));
});
afterAll(async () => {
  // the inner process ends with its nginx; the outer one only waits for it
  const inner = (await cluster.enter('pgrep', '-f', `main.js ingress ${cluster.flags.join(' ')}`)).trim().split('\n');
  const ended = new Promise(resolve => ingress.once('exit', resolve));
  process.kill(Number(inner.at(-1)), 'SIGTERM');
  await ended;
  await cluster[Symbol.asyncDispose]();
});

const web = (name: string) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: 'c',
            image: 'localhost/busybox:1',
            command: [
              'sh',
              '-c',
              `mkdir -p /w/a/b /w/c; for f in /w /w/a /w/a/b /w/c; do echo ${name} > $f/index.html; done; exec httpd -f -p 8080 -h /w`,
            ],
          },
        ],
      },
    },
  },
});
const service = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
});
const backend = (name: string, port: object = { number: 80 }) => ({ service: { name, port } });
const path = (at: string, name: string, pathType = 'Prefix', port?: object) => ({
  path: at,
  pathType,
  backend: backend(name, port),
});
const ingressOf = (name: string, spec: object, annotations: object = {}) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name, annotations },
  spec,
});

/** Code and text, as a client of that name sees it. */
async function get(host: string, at: string, ...more: string[]): Promise<string> {
  const scheme = more.includes('-k') ? 'https' : 'http';
  const url = `${scheme}://${host}${at}`;
  const resolve = ['--resolve', `${host}:80:127.0.0.1`, '--resolve', `${host}:443:127.0.0.1`];
  const text = await cluster
    .enter('curl', '-sS', '-m', '5', '-w', ' %{http_code}', ...resolve, ...more, url)
    .catch(String);
  return text.replace(/\s+/g, ' ').trim();
}
/** And stays so: workers of the old configuration may take connections until all new ones have come. */
const becomes = async (expected: string, look: () => Promise<string>) => {
  let seen = '';
  const stays = async () => {
    for (let i = 0; i < 3; i++) {
      seen = await look();
      if (seen !== expected) return false;
    }
    return true;
  };
  await eventually(expected, stays).catch(() => {});
  expect(seen).toBe(expected);
};

test('hosts, exact paths and prefixes of whole elements', async () => {
  await cluster.apply(
    ingressOf('paths', {
      rules: [
        { host: 'a.example', http: { paths: [path('/', 'one'), path('/a', 'two'), path('/c/', 'two', 'Exact')] } },
        { host: '*.wild.example', http: { paths: [path('/', 'two', 'ImplementationSpecific', { name: 'http' })] } },
      ],
    }),
  );
  await becomes('one 200', () => get('a.example', '/'));
  expect(await get('a.example', '/a/')).toBe('two 200');
  expect(await get('a.example', '/a/b/')).toBe('two 200');
  expect(await get('a.example', '/ab')).toMatch(/404$/);
  expect(await get('a.example', '/c/')).toBe('two 200');
  expect(await get('x.wild.example', '/')).toBe('two 200');
  expect(await get('x.y.wild.example', '/')).toBe('default backend - 404 404');
  expect(await get('nobody.example', '/')).toBe('default backend - 404 404');
});

test('its class, its address, what kubectl says of it', async () => {
  const [{ address } = { address: '' }] = JSON.parse(await cluster.enter('ip', '-j', 'addr', 'show', 'cni0')).flatMap(
    (link: { addr_info: { local: string; family: string }[] }) =>
      link.addr_info.filter(a => a.family === 'inet').map(a => ({ address: a.local })),
  ) as { address: string }[];
  await eventually('the status', async () => (await cluster.kubectl('get', 'ingress', 'paths')).includes(address));
  expect(await cluster.kubectl('get', 'ingress', 'paths', '--no-headers')).toMatch(
    new RegExp(`^paths +nginx +a\\.example,\\*\\.wild\\.example +${address.replaceAll('.', '\\.')} +80 `),
  );
  expect(await cluster.kubectl('get', 'ingressclass')).toMatch(/nginx +keelson\.dev\/ingress-nginx/);
  await cluster.apply(
    ingressOf('foreign', {
      ingressClassName: 'other',
      rules: [{ host: 'f.example', http: { paths: [path('/', 'one')] } }],
    }),
  );
  await cluster.apply(
    ingressOf('own', {
      ingressClassName: 'nginx',
      rules: [{ host: 'o.example', http: { paths: [path('/', 'one')] } }],
    }),
  );
  await becomes('one 200', () => get('o.example', '/'));
  expect(await get('f.example', '/')).toMatch(/404$/);
});

test('a certificate of a Secret, a redirect to it, and one of nobody where it is missing', async () => {
  const files = ['-keyout', `${cluster.directory}/k.pem`, '-out', `${cluster.directory}/c.pem`];
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=tls.example',
      '-addext',
      'subjectAltName=DNS:tls.example',
      ...files,
    ],
    { stdio: 'ignore' },
  );
  const secured = (name: string, secretName: string, annotations: object = {}) =>
    ingressOf(
      name,
      {
        tls: [{ hosts: [`${name}.example`], secretName }],
        rules: [{ host: `${name}.example`, http: { paths: [path('/', 'one')] } }],
      },
      annotations,
    );
  await cluster.apply(
    secured('tls', 'cert'),
    secured('both', 'cert', { 'nginx.ingress.kubernetes.io/ssl-redirect': 'false' }),
  );
  await eventually('the missing Secret is an event', async () =>
    (await cluster.kubectl('describe', 'ingress', 'tls')).includes('Secret default/cert is not there'),
  );
  await becomes('one 200', () => get('tls.example', '/', '-k'));
  await cluster.kubectl(
    'create',
    'secret',
    'tls',
    'cert',
    `--cert=${cluster.directory}/c.pem`,
    `--key=${cluster.directory}/k.pem`,
  );
  await becomes('one 200', () =>
    get('tls.example', '/', '-k', '--cacert', `${cluster.directory}/c.pem`, '--ssl-reqd').then(async text => {
      const seen = await cluster.enter(
        'curl',
        '-svk',
        '-o',
        '/dev/null',
        '--resolve',
        'tls.example:443:127.0.0.1',
        'https://tls.example/',
        '--stderr',
        '-',
      );
      return seen.includes('subject: CN=tls.example') ? text : seen;
    }),
  );
  expect(await get('tls.example', '/x?y=1', '-I')).toMatch(
    /308 Permanent Redirect.*Location: https:\/\/tls\.example\/x\?y=1/,
  );
  expect(await get('both.example', '/')).toBe('one 200');
  expect(await get('nobody.example', '/', '-k')).toMatch(/404$/);
});

test('backends come and go without a word to nginx; a headless Service and a default backend', async () => {
  const configOf = () => readFileSync(join(cluster.runDir, 'ingress/nginx.conf'), 'utf8');
  const before = configOf();
  await cluster.kubectl('rollout', 'restart', 'deployment/one');
  await cluster.kubectl('rollout', 'status', 'deployment/one', '--timeout=60s');
  expect(await get('o.example', '/')).toBe('one 200');
  expect(configOf()).toBe(before);
  await cluster.apply(
    ingressOf('names', {
      rules: [
        { host: 'n.example', http: { paths: [path('/', 'bare', 'Prefix', { number: 8080 }), path('/no', 'nothing')] } },
      ],
    }),
    ingressOf('rest', { defaultBackend: backend('two') }),
  );
  await becomes('one 200', () => get('n.example', '/'));
  expect(await get('n.example', '/no/')).toMatch(/503$/);
  await becomes('two 200', () => get('nobody.example', '/'));
  await eventually('the missing Service is an event', async () =>
    (await cluster.kubectl('describe', 'ingress', 'names')).includes('Service default/nothing is not there'),
  );
});

test('a path that another Ingress has stays with the older one; hostile ones harm nobody', async () => {
  await cluster.apply(ingressOf('late', { rules: [{ host: 'o.example', http: { paths: [path('/', 'two')] } }] }));
  await eventually('it is said', async () =>
    (await cluster.kubectl('describe', 'ingress', 'late')).includes('which is older'),
  );
  expect(await get('o.example', '/')).toBe('one 200');
  const hostile = '/x" { return 200 "broken"; } location "/y';
  await cluster.apply(
    ingressOf('hostile', {
      rules: [{ host: 'h.example', http: { paths: [path(hostile, 'one'), path('/fine', 'two'), path('/', 'one')] } }],
    }),
  );
  await becomes('one 200', () => get('h.example', '/'));
  expect(await get('h.example', '/x')).not.toContain('broken');
});

test('long streams and upgrades pass, and outlive a new configuration', async () => {
  const program = join(repository, 'test/programs/upgrade-echo.mjs');
  const server = spawn(
    'nsenter',
    ['-t', String(holderPid()), '--net', '--', process.execPath, program, 'serve', '9090'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  try {
    await new Promise(resolve => server.stdout?.once('data', resolve));
    const [gateway] = (await cluster.enter('hostname', '-I'))
      .trim()
      .split(/\s+/)
      .filter(a => a.startsWith('10.244.'));
    await cluster.apply(
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'outside' },
        spec: { ports: [{ port: 80, targetPort: 9090 }] },
      },
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: 'outside-1', labels: { 'kubernetes.io/service-name': 'outside' } },
        addressType: 'IPv4',
        endpoints: [{ addresses: [gateway] }],
        ports: [{ name: '', port: 9090 }],
      },
      ingressOf('ws', { rules: [{ host: 'ws.example', http: { paths: [path('/', 'outside')] } }] }),
    );
    await becomes('plain 200', () => get('ws.example', '/'));
    const client = spawn(
      'nsenter',
      ['-t', String(holderPid()), '--net', '--', process.execPath, program, 'connect', 'ws.example'],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    let heard = '';
    client.stdout?.setEncoding('utf8').on('data', (text: string) => {
      heard += text;
    });
    client.stdin?.write('one\n');
    await eventually('an echo', async () => heard.includes('one'));
    await cluster.apply(ingressOf('more', { rules: [{ host: 'm.example', http: { paths: [path('/', 'one')] } }] }));
    await becomes('one 200', () => get('m.example', '/'));
    client.stdin?.write('two\n');
    await eventually('an echo after the change', async () => heard.includes('two'));
    const ended = new Promise(resolve => client.once('exit', resolve));
    client.stdin?.end();
    await ended;
  } finally {
    server.kill();
  }
});

const holderPid = (): number =>
  (JSON.parse(readFileSync(join(cluster.runDir, 'holder.json'), 'utf8')) as { pid: number }).pid;
