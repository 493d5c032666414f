/** Who may do what, with the real kubectl: accounts, tokens, roles, reviews, certificates, the audit log, and pods' own tokens. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, eventually, type Result, sleeper, startCluster } from '../helpers/cluster.js';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
}, 120_000);
afterAll(async () => cluster?.[Symbol.asyncDispose]());

/** kubectl as somebody who has nothing but this token. */
async function withToken(token: string, ...args: string[]): Promise<Result> {
  const server = ['--kubeconfig', '/dev/null', '--server', `https://127.0.0.1:${cluster.port}`];
  return cluster.tryKubectl([...server, '--insecure-skip-tls-verify', '--token', token, ...args]);
}

function curl(...args: string[]): string {
  return execFileSync('curl', ['-sk', '-m', '10', ...args], { encoding: 'utf8' });
}

test('a service account may do what its role says, and nothing else', async () => {
  await cluster.kubectl('create', 'serviceaccount', 'bot');
  await cluster.kubectl('create', 'role', 'reader', '--verb=get,list', '--resource=pods,configmaps');
  await cluster.kubectl('create', 'rolebinding', 'bot-reads', '--role=reader', '--serviceaccount=default:bot');
  const token = (await cluster.kubectl('create', 'token', 'bot', '--duration=20m')).trim();
  const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>;
  expect(claims).toMatchObject({
    iss: 'https://kubernetes.default.svc.cluster.local',
    sub: 'system:serviceaccount:default:bot',
    'kubernetes.io': { namespace: 'default', serviceaccount: { name: 'bot' } },
  });
  expect((await withToken(token, 'get', 'configmaps', '-o', 'name')).stdout).toContain('configmap/kube-root-ca.crt');
  const refused = await withToken(token, 'get', 'secrets');
  expect(refused.stderr).toBe(
    'Error from server (Forbidden): secrets is forbidden: User "system:serviceaccount:default:bot" cannot list resource "secrets" in API group "" in the namespace "default"\n',
  );
  expect((await withToken(token, 'get', 'pods', '-A')).stderr).toContain('at the cluster scope');
  expect((await withToken(`${token}x`, 'get', 'pods')).stderr).toContain('Unauthorized');
  expect((await withToken(token, 'auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}')).stdout).toBe(
    'system:serviceaccount:default:bot',
  );
  expect((await withToken(token, 'auth', 'can-i', 'list', 'pods')).stdout).toBe('yes\n');
  expect((await withToken(token, 'auth', 'can-i', 'delete', 'pods')).stdout).toBe('no\n');
  const list = (await withToken(token, 'auth', 'can-i', '--list')).stdout;
  expect(list).toMatch(/configmaps +\[\] +\[\] +\[get list\]/);
  expect(list).toMatch(/selfsubjectreviews\.authentication\.k8s\.io +\[\] +\[\] +\[create\]/);
  await cluster.kubectl('delete', 'serviceaccount', 'bot');
  expect((await withToken(token, 'get', 'pods')).stderr).toContain('Unauthorized');
});

test('impersonation, and nobody grants more than they hold', async () => {
  expect(
    await cluster
      .kubectl('auth', 'can-i', 'get', 'pods', '--as', 'system:serviceaccount:default:default')
      .catch(error => String(error)),
  ).toContain('no');
  await cluster.kubectl('create', 'rolebinding', 'jane-admin', '--clusterrole=admin', '--user=jane');
  expect(await cluster.kubectl('auth', 'can-i', 'create', 'deployments.apps', '--as=jane')).toBe('yes\n');
  const escalation = await cluster.tryKubectl([
    'create',
    'role',
    'more',
    '--verb=get',
    '--resource=nodes',
    '--as=jane',
  ]);
  expect(escalation.stderr).toContain(
    'roles.rbac.authorization.k8s.io "more" is forbidden: user "jane" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["nodes"], Verbs:["get"]}',
  );
  const bind = await cluster.tryKubectl([
    'create',
    'rolebinding',
    'b',
    '--clusterrole=cluster-admin',
    '--user=jane',
    '--as=jane',
  ]);
  expect(bind.stderr).toContain('is attempting to grant RBAC permissions not currently held');
  const nested = await cluster.tryKubectl(['get', 'pods', '--as=jane', '--as-group=system:masters']);
  expect(nested.code).toBe(0);
  expect(await cluster.kubectl('auth', 'whoami', '--as=jane', '--as-group=team', '--as-uid=7', '-o', 'json')).toContain(
    '"team"',
  );
});

test('aggregated roles, default roles, and auth reconcile', async () => {
  await eventually('view is filled', async () =>
    (await cluster.kubectl('get', 'clusterrole', 'view', '-o', 'jsonpath={.rules[*].resources}')).includes(
      'configmaps',
    ),
  );
  await cluster.apply({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'more-view', labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } },
    rules: [{ apiGroups: ['example.com'], resources: ['widgets'], verbs: ['get'] }],
  });
  await eventually('admin has what view has', async () =>
    (await cluster.kubectl('get', 'clusterrole', 'admin', '-o', 'jsonpath={.rules[*].resources}')).includes('widgets'),
  );
  const role = JSON.stringify({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'more-view' },
    rules: [{ apiGroups: ['example.com'], resources: ['widgets'], verbs: ['list'] }],
  });
  const done = await cluster.ok(cluster.tryKubectl(['auth', 'reconcile', '-f', '-'], role));
  expect(done.stdout).toContain('clusterrole.rbac.authorization.k8s.io/more-view reconciled');
  expect(await cluster.kubectl('describe', 'clusterrole', 'more-view')).toMatch(
    /widgets\.example\.com +\[\] +\[\] +\[(get list|list get)\]/,
  );
  expect(await cluster.kubectl('get', 'clusterrolebinding', 'cluster-admin', '-o', 'wide')).toMatch(
    /ClusterRole\/cluster-admin .*system:masters/,
  );
});

test('a certificate is asked for, approved, signed and accepted; another is denied', async () => {
  const file = (name: string): string => join(cluster.directory, name);
  execFileSync(
    'openssl',
    [
      'req',
      '-new',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      file('k.pem'),
      '-out',
      file('r.pem'),
      '-subj',
      '/O=team/CN=jane',
    ],
    { stdio: 'ignore' },
  );
  const csr = (name: string, signerName = 'kubernetes.io/kube-apiserver-client') => ({
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name },
    spec: {
      request: readFileSync(file('r.pem')).toString('base64'),
      signerName,
      usages: ['client auth'],
      expirationSeconds: 3600,
    },
  });
  await cluster.apply(csr('jane'), csr('no'), csr('bad', 'kubernetes.io/kube-apiserver-client-kubelet'));
  expect(await cluster.kubectl('get', 'csr', 'jane')).toMatch(
    /jane .*kube-apiserver-client +kubernetes-admin +60m +Pending/,
  );
  await cluster.kubectl('certificate', 'approve', 'jane', 'bad');
  await cluster.kubectl('certificate', 'deny', 'no');
  const certificate = await eventually('signed', async () =>
    cluster.kubectl('get', 'csr', 'jane', '-o', 'jsonpath={.status.certificate}'),
  );
  writeFileSync(file('c.pem'), Buffer.from(certificate, 'base64'));
  expect(await cluster.kubectl('get', 'csr', 'jane', 'no', '--no-headers')).toMatch(/Approved,Issued[\s\S]*Denied/);
  await eventually('refused by the signer', async () =>
    (await cluster.kubectl('get', 'csr', 'bad', '--no-headers')).includes('Approved,Failed'),
  );
  const as = ['--server', `https://127.0.0.1:${cluster.port}`, '--insecure-skip-tls-verify'];
  const who = await cluster.tryKubectl([
    ...as,
    '--kubeconfig',
    '/dev/null',
    '--client-certificate',
    file('c.pem'),
    '--client-key',
    file('k.pem'),
    'auth',
    'whoami',
    '-o',
    'jsonpath={.status.userInfo}',
  ]);
  expect(JSON.parse(who.stdout)).toMatchObject({ username: 'jane', groups: ['team', 'system:authenticated'] });
});

test('anonymous sees health and version; bootstrap tokens may ask for certificates', async () => {
  const url = `https://127.0.0.1:${cluster.port}`;
  for (const path of ['/healthz', '/livez', '/readyz', '/version'])
    expect(curl('-o', '/dev/null', '-w', '%{http_code}', url + path)).toBe('200');
  expect(JSON.parse(curl(`${url}/api/v1/pods`))).toMatchObject({
    code: 403,
    message:
      'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope',
  });
  expect(curl('-o', '/dev/null', '-w', '%{http_code}', '-H', 'Authorization: Basic eDp5', `${url}/api`)).toBe('401');
  expect(curl('-o', '/dev/null', '-w', '%{http_code}', '-H', `X-Long: ${'x'.repeat(40_000)}`, `${url}/healthz`)).toBe(
    '431',
  );
  expect(curl('-o', '/dev/null', '-w', '%{http_code}', `${url}/api/v1/namespaces/%ff%fe/pods`)).toMatch(/^40[03]$/);
  const token = (
    await cluster.ok(
      cluster.keelson('token', 'create', '--ttl', '1h', '--data-dir', cluster.dataDir, '--isolated', cluster.name),
    )
  ).stdout.trim();
  expect(token).toMatch(/^[a-z0-9]{6}\.[a-z0-9]{16}$/);
  expect((await withToken(token, 'auth', 'can-i', 'create', 'csr')).stdout).toBe('yes\n');
  expect((await withToken(token, 'auth', 'can-i', 'get', 'secrets')).stdout).toBe('no\n');
  expect((await withToken(`${token.slice(0, -1)}!`, 'get', 'pods')).stderr).toContain('Unauthorized');
  await cluster.ok(
    cluster.keelson('token', 'delete', token.slice(0, 6), '--data-dir', cluster.dataDir, '--isolated', cluster.name),
  );
  expect((await withToken(token, 'get', 'csr')).stderr).toContain('Unauthorized');
});

test('a pod proves who it is with the token in its volume, while it lives', async () => {
  await cluster.apply(sleeper('client'), sleeper('bare', { automountServiceAccountToken: false }));
  await cluster.kubectl('wait', '--for=condition=Ready', 'pod/client', 'pod/bare', '--timeout=60s');
  const folder = '/var/run/secrets/kubernetes.io/serviceaccount';
  const read = (name: string) => cluster.kubectl('exec', 'client', '--', 'cat', `${folder}/${name}`);
  const [token, ca, namespace] = await Promise.all([read('token'), read('ca.crt'), read('namespace')]);
  expect(namespace).toBe('default');
  writeFileSync(join(cluster.directory, 'ca.crt'), ca);
  const answer = JSON.parse(
    execFileSync(
      'curl',
      [
        '-s',
        '-m',
        '10',
        '--cacert',
        join(cluster.directory, 'ca.crt'),
        '-H',
        `Authorization: Bearer ${token}`,
        '-d',
        '{}',
        '-H',
        'Content-Type: application/json',
        `https://127.0.0.1:${cluster.port}/apis/authentication.k8s.io/v1/selfsubjectreviews`,
      ],
      { encoding: 'utf8' },
    ),
  );
  expect(answer.status.userInfo).toMatchObject({
    username: 'system:serviceaccount:default:default',
    extra: {
      'authentication.kubernetes.io/pod-name': ['client'],
      'authentication.kubernetes.io/node-name': [cluster.name],
    },
  });
  const bare = await cluster.tryKubectl(['exec', 'bare', '--', 'ls', folder]);
  expect(bare.stderr).toContain('No such file');
  await cluster.kubectl('delete', 'pod', 'client', 'bare', '--grace-period=0', '--force');
  expect((await withToken(token, 'get', '--raw', '/api')).stderr).toContain('Unauthorized');
});

test('a Secret of the token type is filled, and goes with its account', async () => {
  await cluster.kubectl('create', 'serviceaccount', 'old');
  await cluster.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/service-account-token',
    metadata: { name: 'old-token', annotations: { 'kubernetes.io/service-account.name': 'old' } },
  });
  const data = await eventually('filled', async () =>
    cluster.kubectl('get', 'secret', 'old-token', '-o', 'jsonpath={.data.token}'),
  );
  const token = Buffer.from(data, 'base64').toString();
  expect((await withToken(token, 'auth', 'whoami')).stdout).toContain('system:serviceaccount:default:old');
  await cluster.kubectl('delete', 'serviceaccount', 'old');
  await eventually('gone', async () => (await cluster.tryKubectl(['get', 'secret', 'old-token'])).code !== 0);
});

test('every request leaves a line that tells who did what, and no secret', async () => {
  await cluster.kubectl('create', 'secret', 'generic', 'hidden', '--from-literal=word=VERYSECRET', '--as=jane');
  curl(`https://127.0.0.1:${cluster.port}/api?token=QUERYSECRET`);
  const text = await eventually('written', async () => {
    const found = readFileSync(join(cluster.dataDir, 'audit', 'audit.log'), 'utf8');
    return found.includes('token=redacted') && found;
  });
  expect(text).not.toMatch(/VERYSECRET|QUERYSECRET|VkVSWVNFQ1JFV|Bearer/);
  const lines = text
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));
  const create = lines.find(
    line => line.objectRef?.resource === 'secrets' && line.verb === 'create' && line.impersonatedUser,
  );
  expect(create).toMatchObject({
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    stage: 'ResponseComplete',
    user: { username: 'kubernetes-admin' },
    impersonatedUser: { username: 'jane' },
    responseStatus: { code: 201 },
    annotations: { 'authorization.k8s.io/decision': 'allow' },
  });
});
