/** Admission webhooks: a real HTTPS server is asked, and what it says holds. No node is needed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openPki } from '../../src/api/pki.js';
import { startApiServer, type TestServer } from '../helpers/api-server.js';
import { type Kubectl, kubectl } from '../helpers/kubectl.js';

interface Review {
  readonly request: {
    readonly uid: string;
    readonly operation: string;
    readonly name: string;
    readonly namespace?: string;
    readonly userInfo: { readonly username: string };
    readonly object: { readonly metadata: { readonly labels?: Record<string, string> } } | null;
    readonly oldObject: object | null;
  };
}

let api: TestServer;
let k: Kubectl;
let hook: Server;
let ca: string;
let folder: string;
const seen: { path: string; review: Review }[] = [];
/** By path: what the webhook says. */
const answers: Record<string, (review: Review) => object | undefined> = {
  '/label': () => ({
    allowed: true,
    patchType: 'JSONPatch',
    patch: Buffer.from(JSON.stringify([{ op: 'add', path: '/data', value: { from: 'webhook' } }])).toString('base64'),
    warnings: ['labelled by the webhook'],
  }),
  '/judge': ({ request }) =>
    request.object?.metadata.labels?.bad || (request.operation === 'DELETE' && request.name === 'keep')
      ? { allowed: false, status: { code: 422, message: `${request.name} is bad` } }
      : { allowed: true },
  '/nonsense': () => undefined,
};

beforeAll(async () => {
  api = await startApiServer();
  k = kubectl(api.kubeconfig);
  folder = mkdtempSync(join(tmpdir(), 'keelson-hook-'));
  const pki = await openPki(join(folder, 'pki'));
  ca = pki.ca;
  hook = createServer({ key: pki.serving.key, cert: pki.serving.certificate }, (request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const review = JSON.parse(Buffer.concat(parts).toString('utf8')) as Review;
      const path = new URL(request.url!, 'https://x').pathname;
      seen.push({ path, review });
      const said = answers[path]?.(review);
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({
          apiVersion: 'admission.k8s.io/v1',
          kind: 'AdmissionReview',
          response: said && { uid: review.request.uid, ...said },
        }),
      );
    });
  });
  await new Promise<void>(resolve => hook.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  k?.close();
  await api?.close();
  hook?.closeAllConnections();
  await new Promise(resolve => hook?.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  seen.length = 0;
  await k.ok('delete', 'mutatingwebhookconfigurations,validatingwebhookconfigurations', '--all');
});

async function configure(kind: 'Mutating' | 'Validating', path: string, more: object = {}): Promise<void> {
  const { port } = hook.address() as AddressInfo;
  const webhook = {
    name: `hook.${kind.toLowerCase()}.example.com`,
    clientConfig: { url: `https://127.0.0.1:${port}${path}`, caBundle: Buffer.from(ca).toString('base64') },
    rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['configmaps'] }],
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'default' } },
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    ...more,
  };
  const config = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: `${kind}WebhookConfiguration`,
    metadata: { name: `w-${kind.toLowerCase()}` },
    webhooks: [webhook],
  };
  await k.ok('apply', '-f', k.file('webhook.json', JSON.stringify(config)));
}

test('one may change an object, and warn', async () => {
  await configure('Mutating', '/label');
  const { code, stderr } = await k.run(['create', 'configmap', 'a']);
  expect(code).toBe(0);
  expect(stderr).toContain('Warning: labelled by the webhook');
  expect(await k.ok('get', 'configmap', 'a', '-o', 'jsonpath={.data.from}')).toBe('webhook');
  expect(seen[0]?.review.request).toMatchObject({
    operation: 'CREATE',
    name: 'a',
    namespace: 'default',
    resource: { group: '', version: 'v1', resource: 'configmaps' },
    oldObject: null,
  });
});

test('one may refuse a create, an update and a deletion, in its words', async () => {
  await k.ok('create', 'configmap', 'keep');
  await configure('Validating', '/judge');
  const bad = k.file('bad.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, labels: {bad: "1"}}\n');
  const denied = 'admission webhook "hook.validating.example.com" denied the request: b is bad';
  expect((await k.run(['create', '-f', bad])).stderr).toContain(denied);
  expect((await k.run(['label', 'configmap', 'keep', 'bad=1'])).stderr).toContain('keep is bad');
  expect((await k.run(['delete', 'configmap', 'keep'])).stderr).toContain('keep is bad');
  expect(await k.ok('get', 'configmap', 'keep', '-o', 'name')).toBe('configmap/keep\n');
});

test('only what rules, selectors and conditions name is asked about', async () => {
  await configure('Validating', '/judge', {
    objectSelector: { matchLabels: { ask: 'me' } },
    matchConditions: [{ name: 'not-c', expression: 'object.metadata.name != "c"' }],
  });
  await k.ok('create', 'configmap', 'quiet');
  await k.ok('create', 'secret', 'generic', 's');
  const asked = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, labels: {ask: me}}\n`;
  await k.ok('create', '-f', k.file('c.yaml', asked('c')));
  await k.ok('create', '-f', k.file('d.yaml', asked('d')));
  expect(seen.map(({ review }) => review.request.name)).toEqual(['d']);
});

test('one that cannot be asked counts as its failure policy says', async () => {
  await configure('Validating', '/nonsense', { failurePolicy: 'Fail' });
  const { stderr } = await k.run(['create', 'configmap', 'f']);
  expect(stderr).toContain('failed calling webhook "hook.validating.example.com"');
  await configure('Validating', '/nonsense', { failurePolicy: 'Ignore' });
  await k.ok('create', 'configmap', 'f');
});

test('a dry run asks only those without side effects', async () => {
  await configure('Validating', '/judge');
  await k.ok('create', 'configmap', 'dry', '--dry-run=server');
  expect(seen).toHaveLength(1);
  expect((await k.run(['get', 'configmap', 'dry'])).code).toBe(1);
});

test.each([
  [{ sideEffects: 'Some' }, 'webhooks[0].sideEffects: Unsupported value: "Some"'],
  [{ timeoutSeconds: 31 }, 'the timeout value must be between 1 and 30 seconds'],
  [{ clientConfig: {} }, 'exactly one of url or service is required'],
  [{ clientConfig: { url: 'http://x' } }, "'https' is the only allowed URL scheme"],
  [{ matchConditions: [{ name: 'x', expression: 'nope(object)' }] }, 'compilation failed'],
])('a configuration with %j is refused', async (more, message) => {
  await expect(configure('Validating', '/judge', more)).rejects.toThrow(message);
});
