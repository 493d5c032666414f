/** What a user sees: the page in headless Chromium against a real cluster. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';

import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Cluster, sleeper, startCluster } from '../helpers/cluster.js';

let cluster: Cluster;
let browser: Browser;
let page: Page;
let home: string;
const quiet = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

beforeAll(async () => {
  cluster = await startCluster();
  home = await mkdtemp('/tmp/kt-browser-');
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: quiet,
    env: { ...process.env, HOME: home } as Record<string, string>,
  });
  page = await browser.newPage({
    ignoreHTTPSErrors: true,
    viewport: { width: 1180, height: 820 },
    colorScheme: 'light',
  });
  await page.goto(`https://127.0.0.1:${cluster.port}/dashboard/`);
});
afterAll(async () => {
  await browser.close();
  await rm(home, { recursive: true, force: true });
  await cluster[Symbol.asyncDispose]();
});

const token = async () =>
  (await cluster.ok(cluster.keelson('token', 'dashboard', '--data-dir', cluster.dataDir))).stdout.trim();
const logIn = async (secret: string) => {
  await page.fill('input[name=token]', secret);
  await page.click('button');
};

test('the page shows nothing before it knows who is looking, and refuses a wrong token', async () => {
  expect(await page.locator('table').count()).toBe(0);
  await logIn('not the token');
  await page.waitForSelector('text=may not look at the cluster');
});

test('with the token it shows the node, alive', async () => {
  await logIn(await token());
  await page.waitForSelector('[role=status].live');
  const node = page.locator(`[data-node="${cluster.name}"]`);
  await node.waitFor();
  expect(await node.locator('.dot.good').count()).toBe(1);
  expect(await node.textContent()).toContain('0/250 pods');
});

test('a pod appears by itself, with address, live usage and its events; and goes', async () => {
  await cluster.apply(sleeper('seen'), {
    ...sleeper('busy'),
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'app', image: 'localhost/busybox:1', command: ['sh', '-c', 'while :; do :; done'] }],
    },
  });
  const row = page.locator('[data-pod="default/seen"]');
  await row.locator('.pill.good', { hasText: 'Running' }).waitFor();
  expect(await row.textContent()).toMatch(/1\/1[\s\S]*10\.244\.0\.\d+/);
  // CPU of the busy one comes from its cgroup: whatever share this machine gives it, but far more than idle
  const cpu = page.locator('[data-pod="default/busy"] td:nth-child(6)');
  await expect.poll(async () => cpu.textContent(), { timeout: 20_000 }).toMatch(/^([1-9]\d{1,2}m|\d\.\d\d)$/);
  const traffic = page.locator('[data-pod="default/busy"] td:nth-child(8)');
  await expect.poll(async () => traffic.textContent(), { timeout: 20_000 }).toMatch(/^[\d.]+ \w+ \/ [\d.]+ \w+$/);
  const memory = page.locator('[data-pod="default/busy"] td:nth-child(7)');
  await expect.poll(async () => memory.textContent(), { timeout: 20_000 }).toMatch(/^[\d.]+ [KM]iB$/);
  await page.locator('[aria-label=events] li', { hasText: 'Started' }).first().waitFor();
  if (process.env['KEELSON_SCREENSHOT']) await page.screenshot({ path: process.env['KEELSON_SCREENSHOT'] });
  await cluster.kubectl('delete', 'pod', 'seen', 'busy', '--now');
  await row.waitFor({ state: 'detached' });
});

test('names from the cluster are text, never markup', async () => {
  await cluster.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'odd' },
    spec: { containers: [{ name: 'a', image: '<img src=x onerror=alert(1)>' }] },
  });
  await page.locator('[data-pod="default/odd"]').waitFor();
  await page.locator('[aria-label=events] li', { hasText: '<img' }).first().waitFor();
  expect(await page.locator('[aria-label=events] img').count()).toBe(0);
  await cluster.kubectl('delete', 'pod', 'odd', '--now');
});

test('when the controller dies the page says so, and comes back by itself', async () => {
  process.kill(cluster.pidOf('controller'), 'SIGKILL');
  await page.waitForSelector('[role=status].lost');
  await page.waitForSelector('[role=status].live');
  await page.locator(`[data-node="${cluster.name}"]`).waitFor();
});

describe('the feed', () => {
  const open = (headers: Record<string, string>) =>
    new Promise<{ socket?: WebSocket; refused?: number }>(resolve => {
      const ca = Buffer.from(
        (
          JSON.parse(readFileSync(cluster.kubeconfig, 'utf8')) as {
            clusters: [{ cluster: { 'certificate-authority-data': string } }];
          }
        ).clusters[0].cluster['certificate-authority-data'],
        'base64',
      );
      const socket = new WebSocket(`wss://127.0.0.1:${cluster.port}/dashboard/ws`, { ca, headers });
      socket.once('open', () => resolve({ socket }));
      socket.once('unexpected-response', (_, response) => resolve({ refused: response.statusCode ?? 0 }));
      socket.once('error', () => {});
    });
  const closing = (socket: WebSocket) => new Promise<number>(resolve => socket.once('close', code => resolve(code)));

  test('a page of another origin, or none, gets no socket', async () => {
    expect(await open({ origin: 'https://evil.example' })).toEqual({ refused: 403 });
    expect(await open({})).toEqual({ refused: 403 });
    expect(await open({ origin: `https://127.0.0.1:${cluster.port}`, host: 'evil.example' })).toEqual({ refused: 403 });
  });

  test('a first message that is no login, or a second one, closes it with a reason', async () => {
    const origin = `https://127.0.0.1:${cluster.port}`;
    const first = (await open({ origin })).socket as WebSocket;
    first.send('{"token":5}');
    expect(await closing(first)).toBe(4400);
    const second = (await open({ origin })).socket as WebSocket;
    second.send(JSON.stringify({ token: await token() }));
    await new Promise(resolve => second.once('message', resolve));
    second.send('more');
    expect(await closing(second)).toBe(4400);
  });
});

test('the page is served with a policy that lets nothing foreign in', async () => {
  const response = await page.request.get(`https://127.0.0.1:${cluster.port}/dashboard/`);
  expect(response.headers()['content-security-policy']).toContain("default-src 'self'");
  expect(response.headers()['content-security-policy']).toContain("frame-ancestors 'none'");
  expect((await page.request.get(`https://127.0.0.1:${cluster.port}/dashboard/../pki/admin.token`)).ok()).toBe(false);
});
