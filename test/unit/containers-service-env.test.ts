import { expect, test } from 'vitest';
import { serviceEnv } from '../../agent/containers/service-env.js';
import type { Service } from '../../src/kube/api/core-v1.js';

const service = (namespace: string, name: string, spec: Service['spec']): Service =>
  ({ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec }) as Service;

const api = service('default', 'kubernetes', { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443 }] });
const redis = service('shop', 'redis-master', {
  clusterIP: '10.0.0.11',
  ports: [
    { name: 'client', port: 6379 },
    { name: 'gossip', port: 9, protocol: 'UDP' },
  ],
});

test('a Service is told by host, port, named ports and links', () => {
  expect(serviceEnv({ services: [redis], namespace: 'shop', links: true })).toEqual([
    ['REDIS_MASTER_SERVICE_HOST', '10.0.0.11'],
    ['REDIS_MASTER_SERVICE_PORT', '6379'],
    ['REDIS_MASTER_SERVICE_PORT_CLIENT', '6379'],
    ['REDIS_MASTER_SERVICE_PORT_GOSSIP', '9'],
    ['REDIS_MASTER_PORT', 'tcp://10.0.0.11:6379'],
    ['REDIS_MASTER_PORT_6379_TCP', 'tcp://10.0.0.11:6379'],
    ['REDIS_MASTER_PORT_6379_TCP_PROTO', 'tcp'],
    ['REDIS_MASTER_PORT_6379_TCP_PORT', '6379'],
    ['REDIS_MASTER_PORT_6379_TCP_ADDR', '10.0.0.11'],
    ['REDIS_MASTER_PORT_9_UDP', 'udp://10.0.0.11:9'],
    ['REDIS_MASTER_PORT_9_UDP_PROTO', 'udp'],
    ['REDIS_MASTER_PORT_9_UDP_PORT', '9'],
    ['REDIS_MASTER_PORT_9_UDP_ADDR', '10.0.0.11'],
  ]);
});

const hosts = (facts: Parameters<typeof serviceEnv>[0]) =>
  serviceEnv(facts).filter(([name]) => name.endsWith('_SERVICE_HOST'));

test('without links only the API server is told', () => {
  expect(hosts({ services: [api, redis], namespace: 'shop', links: false })).toEqual([
    ['KUBERNETES_SERVICE_HOST', '10.96.0.1'],
  ]);
});

test('a Service named kubernetes in the own namespace wins over the API server', () => {
  const own = service('shop', 'kubernetes', { clusterIP: '10.0.0.5', ports: [{ port: 1 }] });
  for (const services of [
    [api, own],
    [own, api],
  ])
    expect(hosts({ services, namespace: 'shop', links: true })).toEqual([['KUBERNETES_SERVICE_HOST', '10.0.0.5']]);
});

test('headless ones, those of other namespaces and those without ports are not told', () => {
  const services = [
    service('shop', 'headless', { clusterIP: 'None', ports: [{ port: 1 }] }),
    service('shop', 'named', { type: 'ExternalName', externalName: 'example.org' }),
    service('shop', 'portless', { clusterIP: '10.0.0.9' }),
    service('other', 'far', { clusterIP: '10.0.0.8', ports: [{ port: 1 }] }),
  ];
  expect(serviceEnv({ services, namespace: 'shop', links: true })).toEqual([]);
});

test('an IPv6 address stands in brackets where a port follows', () => {
  const six = service('shop', 'six', { clusterIP: 'fd00::5', ports: [{ port: 80 }] });
  expect(Object.fromEntries(serviceEnv({ services: [six], namespace: 'shop', links: true }))).toMatchObject({
    SIX_SERVICE_HOST: 'fd00::5',
    SIX_PORT: 'tcp://[fd00::5]:80',
    SIX_PORT_80_TCP_ADDR: 'fd00::5',
  });
});
