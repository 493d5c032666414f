/** Services by nftables with real connections: pods on a bridge, a neighbour outside, and the node itself. */

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect as dial } from 'node:net';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HealthServers } from '../../agent/proxy/health.js';
import { NftablesBackend } from '../../agent/proxy/nftables/backend.js';
import { ServiceProxy } from '../../agent/proxy/proxy.js';
import { enableForwarding } from '../../agent/proxy/sysctl.js';
import { inPrivateNetwork } from '../helpers/netns.js';
import { type EndpointOptions, service, sliceOf } from '../helpers/services.js';
import { ask, connect, ip, openSpace, type Space } from '../helpers/spaces.js';

const options = { clusterCidrs: ['10.244.0.0/16', 'fd00:10:244::/48'], bridge: 'cni0' };
const node = { name: 'n1' };
const log = pino({ level: 'error' });

inPrivateNetwork(
  import.meta.url,
  () => {
    let a: Space;
    let b: Space;
    let outside: Space;
    let proxy: ServiceProxy;

    beforeAll(async () => {
      await enableForwarding(true);
      ip('link', 'add', 'cni0', 'type', 'bridge');
      ip('address', 'add', '10.244.1.1/24', 'dev', 'cni0');
      ip('address', 'add', 'fd00:10:244:1::1/64', 'dev', 'cni0', 'nodad');
      ip('link', 'set', 'cni0', 'up');
      [a, b, outside] = (await Promise.all([openSpace(), openSpace(), openSpace()])) as [Space, Space, Space];
      for (const [i, pod] of [a, b].entries()) {
        await connect(pod, `pod${i}`, 'eth0', [`10.244.1.${i + 2}/24`, `fd00:10:244:1::${i + 2}/64`]);
        ip('link', 'set', `pod${i}`, 'master', 'cni0');
        ip('link', 'set', `pod${i}`, 'type', 'bridge_slave', 'hairpin', 'on');
        await pod.run('ip', 'route', 'add', 'default', 'via', '10.244.1.1');
        await pod.run('ip', '-6', 'route', 'add', 'default', 'via', 'fd00:10:244:1::1');
      }
      // the neighbour is a client, and another node with a pod
      await connect(outside, 'up0', 'eth0', ['192.0.2.2/24', '10.244.2.2/32']);
      ip('address', 'add', '192.0.2.1/24', 'dev', 'up0');
      ip('route', 'add', 'default', 'via', '192.0.2.2');
      await outside.run('ip', 'route', 'add', '10.96.0.0/12', 'via', '192.0.2.1');
      await outside.run('ip', 'route', 'add', '10.244.1.0/24', 'via', '192.0.2.1');
      await outside.run('ip', 'route', 'add', '203.0.113.0/24', 'via', '192.0.2.1');
      ip('route', 'add', '10.244.2.2', 'via', '192.0.2.2');
      await Promise.all([a.serve('a', 8080), b.serve('b', 8080), outside.serve('remote', 8080)]);
      await start();
    });
    afterAll(async () => {
      await proxy.close(true);
      for (const space of [a, b, outside]) space.close();
    });

    async function start(): Promise<void> {
      proxy = new ServiceProxy({ backend: new NftablesBackend(options), node, health: new HealthServers(log), log });
    }

    const onA = { address: '10.244.1.2', nodeName: 'n1' };
    const onB = { address: '10.244.1.3', nodeName: 'n1' };
    const onRemote = { address: '10.244.2.2', nodeName: 'n2' };

    async function have(spec: Parameters<typeof service>[1], endpoints: readonly EndpointOptions[]): Promise<void> {
      const made = service('web', spec);
      proxy.sync([made, sliceOf(made, endpoints)]);
      await proxy.settled();
    }
    const many = async (count: number, once: () => Promise<string>) => {
      const all: string[] = [];
      for (let i = 0; i < count; i++) all.push(await once());
      return all;
    };
    const nft = (...args: string[]) => execFileSync('nft', args, { encoding: 'utf8' });

    test('pods reach all endpoints of a cluster address, under their own address', async () => {
      await have({}, [onB, onRemote]);
      const answers = new Set(await many(16, () => ask(a, '10.96.0.10', 80)));
      expect(answers).toEqual(new Set(['b 10.244.1.2', 'remote 10.244.1.2']));
    });

    test('the node itself reaches them, and so does who routes the cluster address here', async () => {
      await have({}, [onA]);
      expect(await ask(undefined, '10.96.0.10', 80)).toBe('a 10.244.1.1');
      expect(await ask(outside, '10.96.0.10', 80)).toBe('a 10.244.1.1');
    });

    test('a pod reaches itself through its Service', async () => {
      await have({}, [onA]);
      expect(await ask(a, '10.96.0.10', 80)).toBe('a 10.244.1.1');
    });

    test('UDP goes to the endpoint of the moment, also within one connection', async () => {
      await have({ ports: [{ port: 80, protocol: 'UDP' }] }, [onA]);
      expect(await ask(b, '10.96.0.10', 80, 'udp')).toBe('a 10.244.1.3');
      const socket = (await import('node:dgram')).createSocket('udp4');
      socket.connect(80, '10.96.0.10');
      await once(socket, 'connect');
      const say = async () => {
        socket.send('x');
        return String((await once(socket, 'message', { signal: AbortSignal.timeout(2000) }))[0]).trim();
      };
      expect(await say()).toMatch(/^a /);
      await have({ ports: [{ port: 80, protocol: 'UDP' }] }, [onB]);
      expect(await say()).toMatch(/^b /);
      socket.close();
    });

    test('a node port is open outside and on the node, not on its loopback', async () => {
      await have({ type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] }, [onA]);
      expect(await ask(outside, '192.0.2.1', 30080)).toBe('a 10.244.1.1');
      expect(await ask(undefined, '192.0.2.1', 30080)).toBe('a 10.244.1.1');
      expect(await ask(b, '192.0.2.1', 30080)).toBe('a 10.244.1.1');
      expect(await ask(undefined, '127.0.0.1', 30080)).toBe('refused');
      await outside.run('ip', 'route', 'add', '127.0.0.99/32', 'via', '192.0.2.1').catch(() => undefined);
      expect(await ask(outside, '127.0.0.99', 30080)).not.toMatch(/^a/);
    });

    test('externalTrafficPolicy Local keeps the source, goes to own endpoints, and is silent without', async () => {
      const spec = { type: 'NodePort', externalTrafficPolicy: 'Local', ports: [{ port: 80, nodePort: 30080 }] };
      await have(spec, [onA, onRemote]);
      expect(new Set(await many(8, () => ask(outside, '192.0.2.1', 30080)))).toEqual(new Set(['a 192.0.2.2']));
      const fromPod = new Set(await many(16, () => ask(b, '192.0.2.1', 30080)));
      expect(fromPod).toEqual(new Set(['a 10.244.1.3', 'remote 10.244.1.3']));
      await have(spec, [onRemote]);
      expect(await ask(outside, '192.0.2.1', 30080)).toBe('silent');
      expect(await ask(undefined, '192.0.2.1', 30080)).toMatch(/^remote /);
    });

    test('nobody serves: the client is told at once', async () => {
      await have(
        {
          type: 'NodePort',
          ports: [
            { port: 80, nodePort: 30080 },
            { name: 'u', port: 81, protocol: 'UDP' },
          ],
        },
        [],
      );
      for (const from of [a, undefined, outside]) expect(await ask(from, '10.96.0.10', 80)).toBe('refused');
      expect(await ask(outside, '192.0.2.1', 30080)).toBe('refused');
      await have({}, [onA]);
      expect(await ask(b, '10.96.0.10', 80)).toBe('a 10.244.1.3');
    });

    test('external and balancer addresses are taken over, for those who may', async () => {
      const made = {
        ...service('web', {
          type: 'LoadBalancer',
          externalIPs: ['203.0.113.7'],
          loadBalancerSourceRanges: ['198.51.100.0/24', '10.244.1.0/24', '10.244.1.2/32'],
        }),
        status: { loadBalancer: { ingress: [{ ip: '203.0.113.8' }] } },
      };
      proxy.sync([made, sliceOf(made, [onA])]);
      await proxy.settled();
      expect(await ask(outside, '203.0.113.7', 80)).toBe('a 10.244.1.1');
      expect(await ask(b, '203.0.113.8', 80)).toBe('a 10.244.1.1');
      expect(await ask(outside, '203.0.113.8', 80)).toBe('silent');
      expect(nft('list', 'set', 'ip', 'keelson_services', 'allowed')).toContain('10.244.1.0/24');
    });

    test('a client with session affinity comes back, until its endpoint goes', async () => {
      const spec = { sessionAffinity: 'ClientIP', type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] };
      await have(spec, [onA, onB, onRemote]);
      const first = await ask(b, '10.96.0.10', 80);
      expect(new Set(await many(10, () => ask(b, '10.96.0.10', 80)))).toEqual(new Set([first]));
      const viaNode = await ask(outside, '192.0.2.1', 30080);
      expect(new Set(await many(10, () => ask(outside, '192.0.2.1', 30080)))).toEqual(new Set([viaNode]));
      // an agent that starts anew knows it still
      await proxy.close(false);
      await start();
      await have(spec, [onA, onB, onRemote]);
      expect(new Set(await many(10, () => ask(b, '10.96.0.10', 80)))).toEqual(new Set([first]));
      const others = [onA, onB, onRemote].filter((_, i) => !first.startsWith(['a', 'b', 'remote'][i] as string));
      await have(spec, others);
      const next = await ask(b, '10.96.0.10', 80);
      expect(next).not.toBe(first);
      expect(new Set(await many(10, () => ask(b, '10.96.0.10', 80)))).toEqual(new Set([next]));
    });

    test('connections live through changes, a new agent, and a flush, which is repaired', async () => {
      await have({}, [onA]);
      const socket = dial(80, '10.96.0.10');
      await once(socket, 'data');
      const echo = async () => {
        socket.write('hello');
        return String((await once(socket, 'data', { signal: AbortSignal.timeout(2000) }))[0]);
      };
      await have({}, [onB]);
      expect(await echo()).toBe('hello');
      expect(await ask(undefined, '10.96.0.10', 80)).toMatch(/^b/);
      await proxy.close(false);
      await start();
      expect(await ask(a, '10.96.0.10', 80)).toMatch(/^b/);
      await have({}, [onB]);
      expect(await echo()).toBe('hello');
      for (const flush of [
        ['flush', 'ruleset'],
        ['flush', 'map', 'ip', 'keelson_services', 'endpoints_tcp'],
        ['flush', 'chain', 'ip', 'keelson_services', 'anywhere'],
      ]) {
        nft(...flush);
        await expect.poll(() => ask(a, '10.96.0.10', 80), { timeout: 10_000 }).toMatch(/^b/);
      }
      expect(await echo()).toBe('hello');
      socket.destroy();
    });

    test('IPv6 has the same', async () => {
      const six = (address: string, nodeName: string) => ({ address, nodeName });
      const made = service('web', {
        clusterIP: 'fd00:10:96::10',
        clusterIPs: ['fd00:10:96::10'],
        ipFamilies: ['IPv6'],
      });
      proxy.sync([made, sliceOf(made, [six('fd00:10:244:1::2', 'n1')], 'IPv6')]);
      await proxy.settled();
      expect(await ask(b, 'fd00:10:96::10', 80)).toBe('a fd00:10:244:1::3');
      expect(await ask(a, 'fd00:10:96::10', 80)).toBe('a fd00:10:244:1::1');
      proxy.sync([made]);
      await proxy.settled();
      expect(await ask(b, 'fd00:10:96::10', 80)).toBe('refused');
    });

    test('taking everything away leaves no table', async () => {
      await proxy.close(true);
      expect(nft('list', 'tables')).not.toContain('keelson_services');
    });
  },
  180_000,
);
