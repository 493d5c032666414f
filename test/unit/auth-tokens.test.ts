/** Tokens, nodes and the audit log, as tables. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { heldToken } from '../../agent/volumes/tokens.js';
import type { Attributes } from '../../src/api/auth/attributes.js';
import { auditLine, redacted } from '../../src/api/auth/audit.js';
import { openAuditLog } from '../../src/api/auth/audit-log.js';
import { bootstrapIdentity } from '../../src/api/auth/bootstrap-tokens.js';
import { tokenIssuer } from '../../src/api/auth/claims.js';
import { nodeMay } from '../../src/api/auth/node.js';
import { restrictNode, restrictPod } from '../../src/api/auth/node-restriction.js';
import { tokenForNode } from '../../src/api/auth/node-token.js';
import { ServiceAccountTokens } from '../../src/api/auth/service-account-tokens.js';
import type { AnyObject } from '../../src/api/kind.js';
import { durationMs } from '../../src/cli/commands/token.js';
import { signerObjection } from '../../src/kube/certificate-request.js';
import type { Pod } from '../../src/kube/pod.js';
import { authView } from '../helpers/auth-view.js';

const newKey = (): string =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'bot', namespace: 'a', uid: 'u1' } };
const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'a', uid: 'u2' },
  spec: {
    nodeName: 'n1',
    serviceAccountName: 'bot',
    containers: [{ name: 'c', env: [{ name: 'x', valueFrom: { secretKeyRef: { name: 'env', key: 'k' } } }] }],
    imagePullSecrets: [{ name: 'pull' }],
    volumes: [
      { name: 'v', secret: { secretName: 'vol' } },
      { name: 'w', persistentVolumeClaim: { claimName: 'claim' } },
      {
        name: 't',
        projected: { sources: [{ serviceAccountToken: { path: 'token' } }, { configMap: { name: 'cm' } }] },
      },
    ],
  },
};
const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1', uid: 'u3' } };

function setUp() {
  let time = 1_800_000_000_000;
  const objects = authView([account, pod, node]);
  const tokens = new ServiceAccountTokens({ key: newKey(), view: objects.view, now: () => time });
  return { ...objects, tokens, pass: (ms: number) => (time += ms) };
}
const order = { account, audiences: [tokenIssuer], seconds: 600 };

describe('a service account token', () => {
  test('says who it is, and counts until it ends', async () => {
    const { tokens, pass } = setUp();
    const { token } = await tokens.issue({ ...order, pod, node });
    expect(tokens.remembered(token)).toBeUndefined();
    expect(await tokens.verify(token)).toMatchObject({
      ok: true,
      identity: {
        name: 'system:serviceaccount:a:bot',
        uid: 'u1',
        groups: ['system:serviceaccounts', 'system:serviceaccounts:a', 'system:authenticated'],
        extra: { 'authentication.kubernetes.io/pod-uid': ['u2'], 'authentication.kubernetes.io/node-name': ['n1'] },
      },
    });
    expect(tokens.remembered(token)).toMatchObject({ ok: true });
    pass(600_000);
    expect(tokens.remembered(token)).toMatchObject({ ok: false });
    expect(await tokens.verify(token)).toMatchObject({ ok: false, why: 'service account token has expired' });
  });

  test.each([
    ['its account is gone', 'ServiceAccount', 'a', 'bot'],
    ['its pod is gone', 'Pod', 'a', 'p'],
  ])('ends when %s, also one that is remembered', async (_why, kind, namespace, name) => {
    const { tokens, remove } = setUp();
    const { token } = await tokens.issue({ ...order, pod });
    expect(await tokens.verify(token)).toMatchObject({ ok: true });
    remove(kind, namespace, name);
    expect(tokens.remembered(token)).toMatchObject({ ok: false });
  });

  test('an account made again under the name is another one', async () => {
    const { tokens, put } = setUp();
    const { token } = await tokens.issue(order);
    put({ ...account, metadata: { ...account.metadata, uid: 'other' } });
    expect(await tokens.verify(token)).toMatchObject({ ok: false });
  });

  test('of another key, algorithm, audience or shape does not count', async () => {
    const { tokens } = setUp();
    const stranger = setUp().tokens;
    const { token } = await stranger.issue(order);
    expect(await tokens.verify(token)).toMatchObject({ ok: false });
    const [, payload] = token.split('.');
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
    for (const text of [none, 'x.y.z', '', 'abc', `${token}.x`])
      expect(await tokens.verify(text)).toMatchObject({ ok: false });
    const vault = await tokens.issue({ ...order, audiences: ['vault'] });
    expect(await tokens.verify(vault.token)).toMatchObject({ ok: false });
    expect(await tokens.verify(vault.token, ['x', 'vault'])).toMatchObject({ ok: true, audiences: ['vault'] });
  });

  test('that kubelet refreshes lives on for clients that never read it again, with a warning', async () => {
    const { tokens } = setUp();
    const { token, expires } = await tokens.issue({ ...order, seconds: 3607, pod });
    const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
    expect(claims.exp - claims.iat).toBe(365 * 24 * 3600);
    expect(claims['kubernetes.io'].warnafter).toBe(claims.iat + 3607);
    expect(expires).toBe((claims.iat + 3607) * 1000);
    expect(heldToken(token)?.renewAt({ path: 'token', expirationSeconds: 3607 })).toBe(
      (claims.iat + 3607 * 0.8) * 1000,
    );
  });

  test('of a Secret counts while the Secret holds it', async () => {
    const { tokens, put } = setUp();
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'a', uid: 'u9' } };
    const token = await tokens.issueLegacy(account, secret);
    expect(await tokens.verify(token)).toMatchObject({ ok: false });
    put({ ...secret, data: { token: Buffer.from(token).toString('base64') } });
    expect(await tokens.verify(token)).toMatchObject({ ok: true, identity: { name: 'system:serviceaccount:a:bot' } });
  });

  test('a node gets those of its own pods only', async () => {
    const { tokens, view } = setUp();
    const wanted = { namespace: 'a', name: 'p', uid: 'u2', seconds: 3607 };
    expect(await tokens.verify(await tokenForNode(view, tokens, 'n1', wanted))).toMatchObject({ ok: true });
    await expect(tokenForNode(view, tokens, 'n2', wanted)).rejects.toThrow('not bound to node "n2"');
    await expect(tokenForNode(view, tokens, 'n1', { ...wanted, uid: 'old' })).rejects.toThrow('UID');
    await expect(tokenForNode(view, tokens, 'n1', { ...wanted, audience: 'vault' })).rejects.toThrow('audience');
    await expect(tokenForNode(view, tokens, 'n1', { ...wanted, seconds: 5 })).rejects.toThrow('600');
  });
});

describe('a bootstrap token', () => {
  const base = { 'token-id': 'abcdef', 'token-secret': '0123456789abcdef', 'usage-bootstrap-authentication': 'true' };
  const look = (
    data: Record<string, string>,
    token = 'abcdef.0123456789abcdef',
    type = 'bootstrap.kubernetes.io/token',
  ) => {
    const encoded = Object.fromEntries(
      Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
    );
    const secret = {
      kind: 'Secret',
      type,
      metadata: { name: 'bootstrap-token-abcdef', namespace: 'kube-system' },
      data: encoded,
    };
    return bootstrapIdentity(token, authView([secret]).view, Date.parse('2030-01-01T00:00:00Z'));
  };
  test('speaks for its groups', () => {
    expect(look({ ...base, 'auth-extra-groups': 'system:bootstrappers:x' })).toEqual({
      name: 'system:bootstrap:abcdef',
      groups: ['system:bootstrappers', 'system:bootstrappers:x', 'system:authenticated'],
    });
    expect(look({ ...base, expiration: '2030-01-01T00:00:01Z' })).toBeDefined();
  });
  test.each([
    ['expired', { ...base, expiration: '2030-01-01T00:00:00Z' }],
    ['unreadable end', { ...base, expiration: 'tomorrow' }],
    ['not for this', { ...base, 'usage-bootstrap-authentication': 'false' }],
    ['foreign group', { ...base, 'auth-extra-groups': 'system:masters' }],
    ['wrong id', { ...base, 'token-id': 'zzzzzz' }],
    ['wrong secret', { ...base, 'token-secret': '1123456789abcdef' }],
  ])('%s: nobody', (_why, data) => {
    expect(look(data)).toBeUndefined();
  });
  test('only Secrets of the type count', () => {
    expect(look(base, undefined, 'Opaque')).toBeUndefined();
    expect(look(base, 'ABCDEF.0123456789abcdef')).toBeUndefined();
  });
});

describe('a node', () => {
  const { view } = authView([
    account,
    pod,
    node,
    {
      ...pod,
      metadata: { ...pod.metadata, name: 'q' },
      spec: {
        ...pod.spec,
        nodeName: 'n2',
        serviceAccountName: 'other',
        volumes: [{ name: 'v', secret: { secretName: 'theirs' } }],
      },
    },
  ]);
  const on = (
    verb: string,
    resource: string,
    name?: string,
    namespace: string | undefined = 'a',
    more: object = {},
  ): Attributes => ({
    verb,
    group: '',
    resource,
    ...(namespace && { namespace }),
    ...(name && { name }),
    ...more,
  });
  const own = [{ path: 'spec.nodeName', negated: false, value: 'n1' }];
  test.each([
    [on('get', 'secrets', 'vol'), true],
    [on('get', 'secrets', 'env'), true],
    [on('get', 'secrets', 'pull'), true],
    [on('get', 'secrets', 'theirs'), false],
    [on('get', 'secrets', 'vol', 'b'), false],
    [on('list', 'secrets'), false],
    [on('update', 'secrets', 'vol'), false],
    [on('get', 'configmaps', 'cm'), true],
    [on('get', 'persistentvolumeclaims', 'claim'), true],
    [on('get', 'persistentvolumeclaims', 'claim2'), false],
    [on('get', 'pods', 'p'), true],
    [on('get', 'pods', 'q'), false],
    [on('list', 'pods', undefined, ''), false],
    [on('list', 'pods', undefined, '', { fields: own }), true],
    [on('list', 'pods', undefined, '', { fields: [{ ...own[0], negated: true }] }), false],
    [on('update', 'pods/status', 'p'), true],
    [on('update', 'pods/status', 'q'), false],
    [on('create', 'pods/exec', 'p'), false],
    [on('create', 'serviceaccounts/token', 'bot'), true],
    [on('create', 'serviceaccounts/token', 'default'), false],
    [on('get', 'nodes', 'n1', ''), true],
    [on('get', 'nodes', 'n2', ''), false],
    [on('delete', 'nodes', 'n1', ''), false],
    [on('update', 'leases', 'n1', 'kube-node-lease', { group: 'coordination.k8s.io' }), true],
    [on('update', 'leases', 'n2', 'kube-node-lease', { group: 'coordination.k8s.io' }), false],
    [{ verb: 'get', path: '/api' }, true],
    [{ verb: 'get', path: '/metrics' }, false],
  ] as [Attributes, boolean][])('%j: %s', (attributes, expected) => {
    expect(nodeMay('n1', attributes, view)).toBe(expected);
  });

  test('writes of itself what is its own to say', () => {
    const its = (labels: object, more: object = {}) =>
      ({ ...node, metadata: { ...node.metadata, labels }, ...more }) as unknown as AnyObject;
    expect(restrictNode('n1', its({ 'kubernetes.io/arch': 'x', own: 'y' }), its({}))).toBeUndefined();
    expect(restrictNode('n1', its({ 'node-restriction.kubernetes.io/x': '1' }), its({}))).toContain('labels');
    expect(restrictNode('n2', its({}), its({}))).toContain('not allowed to modify node');
    expect(
      restrictNode('n1', its({}, { spec: { taints: [] } }), its({}, { spec: { taints: [{ key: 'a' }] } })),
    ).toContain('taints');
    expect(restrictPod('n1', pod as unknown as Pod, undefined)).toContain('can only create mirror pods');
    expect(restrictPod('n2', pod as unknown as Pod, pod as unknown as Pod)).toContain('set to itself');
  });
});

describe('signers', () => {
  const nodeRequest = { commonName: 'system:node:n1', organizations: ['system:nodes'], names: [] };
  test.each([
    ['kubernetes.io/kube-apiserver-client', { ...nodeRequest, organizations: [] }, ['client auth'], undefined],
    ['kubernetes.io/kube-apiserver-client', nodeRequest, ['server auth'], 'required'],
    ['kubernetes.io/kube-apiserver-client-kubelet', nodeRequest, ['client auth', 'digital signature'], undefined],
    [
      'kubernetes.io/kube-apiserver-client-kubelet',
      { ...nodeRequest, organizations: ['system:masters'] },
      ['client auth', 'digital signature'],
      'organization',
    ],
    [
      'kubernetes.io/kube-apiserver-client-kubelet',
      { ...nodeRequest, commonName: 'n1' },
      ['client auth', 'digital signature'],
      'common name',
    ],
    ['kubernetes.io/kubelet-serving', nodeRequest, ['server auth', 'digital signature'], 'subjectAltName'],
    [
      'kubernetes.io/kubelet-serving',
      { ...nodeRequest, names: [{ type: 'ip', value: '10.0.0.1' }] },
      ['server auth', 'digital signature'],
      undefined,
    ],
    [
      'kubernetes.io/kubelet-serving',
      {
        ...nodeRequest,
        names: [
          { type: 'ip', value: '10.0.0.1' },
          { type: 'email', value: 'x' },
        ],
      },
      ['server auth', 'digital signature'],
      'only DNS and IP',
    ],
    ['example.com/x', nodeRequest, ['client auth'], 'none of ours'],
  ])('%s, %j, %j: %s', (signer, request, usages, why) => {
    const found = signerObjection(signer, request, usages);
    if (why === undefined) expect(found).toBeUndefined();
    else expect(found).toContain(why);
  });
});

describe('the audit log', () => {
  const record = {
    id: 'i',
    url: '/api/v1/namespaces/a/pods/p?token=abc&x=1',
    verb: 'get',
    route: { to: 'resource', group: '', version: 'v1', namespace: 'a', plural: 'pods', name: 'p' },
    identity: { name: 'u"x', groups: ['g'] },
    impersonated: undefined,
    source: '127.0.0.1',
    userAgent: 'k',
    code: 200,
    received: 1e12,
    completed: 1e12 + 5,
    decision: 'allow',
    reason: 'r',
  } as const;
  test('a line is JSON, without secrets', () => {
    const line = JSON.parse(auditLine(record));
    expect(line).toMatchObject({
      requestURI: '/api/v1/namespaces/a/pods/p?token=redacted&x=1',
      user: { username: 'u"x' },
      objectRef: { resource: 'pods', namespace: 'a', name: 'p', apiVersion: 'v1' },
    });
    expect(redacted('/x?a=1&access_token=s&client_secret=s#')).toBe(
      '/x?a=1&access_token=redacted&client_secret=redacted',
    );
  });
  test('a full file gets a number; the oldest goes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'keelson-audit-'));
    try {
      const file = join(folder, 'log', 'audit.log');
      for (let i = 0; i < 5; i++) {
        const sink = openAuditLog({ file, log: pino({ level: 'silent' }), maxBytes: 400, backups: 2 });
        sink.write(auditLine({ ...record, id: String(i) }));
        await sink.close();
      }
      expect(readdirSync(join(folder, 'log')).sort()).toEqual(['audit.log', 'audit.log.1', 'audit.log.2']);
      expect(JSON.parse(readFileSync(file, 'utf8')).auditID).toBe('4');
      expect(JSON.parse(readFileSync(`${file}.2`, 'utf8')).auditID).toBe('2');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

test('durations of tokens', () => {
  expect([durationMs('30m'), durationMs('7d'), durationMs('0')]).toEqual([1_800_000, 604_800_000, 0]);
  for (const text of ['', '5', '-1h', '1y', '1.5h']) expect(() => durationMs(text)).toThrow('--ttl');
});
