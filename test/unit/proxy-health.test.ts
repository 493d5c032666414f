/** Health check node ports, asked as load balancers ask them. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import type { HealthPort } from '../../agent/proxy/contract.js';
import { HealthServers } from '../../agent/proxy/health.js';
import { eventually, freePort } from '../helpers/cluster.js';

const warnings: string[] = [];
const servers = new HealthServers(
  pino({ level: 'warn' }, { write: line => void warnings.push((JSON.parse(line) as { msg: string }).msg) }),
  50,
);
afterEach(() => servers.close());

const health = (port: number, localEndpoints: number): HealthPort => ({ service: 'shop/front', port, localEndpoints });
const asked = async (port: number) => {
  const response = await fetch(`http://127.0.0.1:${port}/healthz`);
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    weight: response.headers.get('x-load-balancing-endpoint-weight'),
    body: await response.json(),
  };
};

test('says how many serve here, and whether anybody does', async () => {
  const port = await freePort();
  servers.set([health(port, 2)]);
  const answer = await eventually('open', () => asked(port).catch(() => undefined));
  expect(answer).toEqual({
    status: 200,
    type: 'application/json',
    weight: '2',
    body: { service: { namespace: 'shop', name: 'front' }, localEndpoints: 2, serviceProxyHealthy: true },
  });
  servers.set([health(port, 0)]);
  expect(await asked(port)).toMatchObject({ status: 503, weight: '0', body: { localEndpoints: 0 } });
});

test('closes with its Service', async () => {
  const port = await freePort();
  servers.set([health(port, 1)]);
  await eventually('open', () => asked(port).catch(() => undefined));
  servers.set([]);
  await expect(asked(port)).rejects.toThrow('fetch failed');
});

test('a port that somebody else has is told of, and tried again', async () => {
  const other = await listening();
  const { port } = other.address() as AddressInfo;
  servers.set([health(port, 1)]);
  await eventually('told', async () => warnings.some(text => text.includes('cannot be opened')));
  await new Promise(resolve => other.close(resolve));
  expect(await eventually('open', () => asked(port).catch(() => undefined))).toMatchObject({ status: 200 });
});

const listening = (): Promise<Server> =>
  new Promise(resolve => {
    const server = createServer((_, response) => response.writeHead(404).end());
    server.listen(0, () => resolve(server));
  });
