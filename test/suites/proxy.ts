/**
 * What every way to serve Services must do, with real connections: each kind of Service in each direction. A new backend
 * is done when this passes. Knows no test runner: the virtual machine's is node:test, the host's vitest.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import type { EndpointSlice } from '../../src/kube/api/discovery-v1.js';
import { service, sliceOf } from '../helpers/services.js';
import { ask } from '../helpers/spaces.js';
import { onA, onB, onRemote, ProxyNet, type ProxyRig } from './proxy-net.js';

export interface Runner {
  test(name: string, body: () => Promise<void>): void;
  before(body: () => Promise<void>): void;
  after(body: () => Promise<void>): void;
}

/** Milliseconds: a virtual machine is slow. */
const patience = process.env.KEELSON_LAB ? 10_000 : 2_000;
const vip = '10.96.0.10';
const nodeIp = '192.0.2.1';
const port = 30080;

export function proxySuite({ test, before, after }: Runner, rig: ProxyRig): void {
  const net = new ProxyNet(rig);
  before(() => net.open());
  after(() => net.close());

  test('pods reach all endpoints of a cluster address, under their own address', async () => {
    await net.have({}, [onB, onRemote]);
    await net.expectAll(16, net.a, vip, 80, ['b 10.244.1.2', 'remote 10.244.1.2']);
  });

  test('the node itself reaches them, and so does who routes the cluster address here', async () => {
    await net.have({}, [onA]);
    net.expect(await ask(undefined, vip, 80), 'a', '10.244.1.1');
    net.expect(await ask(net.outside, vip, 80), 'a', '10.244.1.1');
  });

  test('a pod reaches itself through its Service', async () => {
    await net.have({}, [onA]);
    net.expect(await ask(net.a, vip, 80), 'a', '10.244.1.1');
  });

  test('several ports lead to what each is for', async () => {
    const ports = [
      { name: 'http', port: 80 },
      { name: 'other', port: 81 },
      { name: 'dns', port: 80, protocol: 'UDP' },
    ];
    const made = service('web', { ports });
    const slice = sliceOf(made, [onA]);
    await net.haveObjects([made, slice]);
    net.expect(await ask(net.b, vip, 81), 'a', '10.244.1.3');
    net.expect(await ask(net.b, vip, 80, 'udp'), 'a', '10.244.1.3');
    const fewer: EndpointSlice = { ...slice, ports: (slice.ports ?? []).filter(one => one.name !== 'other') };
    await net.haveObjects([made, fewer]);
    assert.equal(await ask(net.b, vip, 81), 'refused');
    net.expect(await ask(net.b, vip, 80), 'a', '10.244.1.3');
  });

  test('UDP goes to the endpoint of the moment, also within one connection', async () => {
    const spec = { ports: [{ port: 80, protocol: 'UDP' }] };
    await net.have(spec, [onA]);
    net.expect(await ask(net.b, vip, 80, 'udp'), 'a', '10.244.1.3');
    const socket = createSocket('udp4');
    socket.connect(80, vip);
    await once(socket, 'connect');
    const say = async () => {
      socket.send('x');
      return String((await once(socket, 'message', { signal: AbortSignal.timeout(patience) }))[0]).trim();
    };
    assert.match(await say(), /^a /);
    await net.have(spec, [onB]);
    assert.match(await say(), /^b /);
    socket.close();
  });

  test('a node port is open outside and on the node, not on its loopback', async () => {
    await net.have({ type: 'NodePort', ports: [{ port: 80, nodePort: port }] }, [onA]);
    for (const from of [net.outside, undefined, net.b]) net.expect(await ask(from, nodeIp, port), 'a', '10.244.1.1');
    assert.equal(await ask(undefined, '127.0.0.1', port), 'refused');
    await net.outside.run('ip', 'route', 'add', '127.0.0.99/32', 'via', nodeIp).catch(() => undefined);
    assert.doesNotMatch(await ask(net.outside, '127.0.0.99', port), /^a/);
  });

  test('externalTrafficPolicy Local keeps the source, goes to own endpoints, and is silent without', async () => {
    const spec = { type: 'NodePort', externalTrafficPolicy: 'Local', ports: [{ port: 80, nodePort: port }] };
    await net.have(spec, [onA, onRemote]);
    await net.expectAll(8, net.outside, nodeIp, port, ['a 192.0.2.2']);
    await net.expectAll(16, net.b, nodeIp, port, ['a 10.244.1.3', 'remote 10.244.1.3']);
    await net.have(spec, [onRemote]);
    assert.equal(await ask(net.outside, nodeIp, port), 'silent');
    assert.match(await ask(undefined, nodeIp, port), /^remote /);
    await net.have(spec, []);
    assert.equal(await ask(net.outside, nodeIp, port), 'refused');
  });

  test('internalTrafficPolicy Local goes to own endpoints, and is silent without', async () => {
    const spec = { internalTrafficPolicy: 'Local' };
    await net.have(spec, [onA, onRemote]);
    await net.expectAll(10, net.b, vip, 80, ['a 10.244.1.3']);
    await net.have(spec, [onRemote]);
    assert.equal(await ask(net.b, vip, 80), 'silent');
    await net.have({}, [onRemote]);
    net.expect(await ask(net.b, vip, 80), 'remote', '10.244.1.3');
  });

  test('nobody serves: the client is told at once', async () => {
    const ports = [
      { name: 't', port: 80, nodePort: port },
      { name: 'u', port: 81, protocol: 'UDP', nodePort: port },
    ];
    await net.have({ type: 'NodePort', externalIPs: ['203.0.113.7'], ports }, []);
    for (const from of [net.a, undefined, net.outside]) {
      const who = from === net.a ? 'a pod' : from ? 'outside' : 'the node';
      assert.equal(await ask(from, vip, 80), 'refused', who);
      assert.equal(await ask(from, vip, 81, 'udp'), 'refused', `${who}, UDP`);
      assert.equal(await ask(from, nodeIp, port, 'udp'), 'refused', `${who}, UDP, node port`);
      assert.equal(await ask(from, '203.0.113.7', 80), 'refused', `${who}, external address`);
    }
    assert.equal(await ask(net.outside, nodeIp, port), 'refused');
    await net.have({}, [onA]);
    net.expect(await ask(net.b, vip, 80), 'a', '10.244.1.3');
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
    await net.haveObjects([made, sliceOf(made, [onA])]);
    net.expect(await ask(net.outside, '203.0.113.7', 80), 'a', '10.244.1.1');
    net.expect(await ask(net.b, '203.0.113.8', 80), 'a', '10.244.1.1');
    assert.equal(await ask(net.outside, '203.0.113.8', 80), 'silent');
    const open = { ...made, spec: { ...made.spec, loadBalancerSourceRanges: ['192.0.2.0/24'] } };
    await net.haveObjects([open, sliceOf(made, [onA])]);
    net.expect(await ask(net.outside, '203.0.113.8', 80), 'a', '10.244.1.1');
    assert.equal(await ask(net.b, '203.0.113.8', 80), 'silent');
  });

  test('a client with session affinity comes back, until its endpoint goes', async () => {
    const spec = { sessionAffinity: 'ClientIP', type: 'NodePort', ports: [{ port: 80, nodePort: port }] };
    const all = [onA, onB, onRemote];
    await net.have(spec, all);
    const first = await ask(net.b, vip, 80);
    await net.expectAll(10, net.b, vip, 80, [first]);
    await net.expectAll(10, net.outside, nodeIp, port, [await ask(net.outside, nodeIp, port)]);
    if (rig.survivesAgent) {
      await net.stop(false);
      net.start();
      await net.have(spec, all);
      await net.expectAll(10, net.b, vip, 80, [first]);
    }
    const others = all.filter((_, i) => !first.startsWith(['a', 'b', 'remote'][i] as string));
    await net.have(spec, others);
    const next = await ask(net.b, vip, 80);
    assert.notEqual(next.split(' ')[0], first.split(' ')[0]);
    await net.expectAll(10, net.b, vip, 80, [next]);
  });

  if (rig.forgetsClients)
    test('session affinity ends after its time', async () => {
      const clientIP = { clientIP: { timeoutSeconds: 1 } };
      await net.have({ sessionAffinity: 'ClientIP', sessionAffinityConfig: clientIP }, [onA, onB, onRemote]);
      const names = new Set<string>();
      for (let i = 0; i < 12 && names.size < 2; i++) {
        names.add((await ask(net.b, vip, 80)).split(' ')[0] as string);
        // the kernel itself counts the seconds; some count them in whole ones
        await new Promise(resolve => setTimeout(resolve, 2_200));
      }
      assert.equal(names.size, 2);
    });

  test('Services come and go one by one', async () => {
    const one = service('one', { clusterIP: '10.96.0.11' });
    const two = service('two', { clusterIP: '10.96.0.12', type: 'NodePort', ports: [{ port: 80, nodePort: 30081 }] });
    await net.have({}, [onA]);
    await net.put([one, sliceOf(one, [onA]), two, sliceOf(two, [onB])]);
    net.expect(await ask(net.b, '10.96.0.11', 80), 'a', '10.244.1.3');
    net.expect(await ask(net.a, '10.96.0.12', 80), 'b', '10.244.1.2');
    await net.put([sliceOf(one, [onB, onRemote])]);
    await net.expectAll(16, net.a, '10.96.0.11', 80, ['b 10.244.1.2', 'remote 10.244.1.2']);
    await net.gone(one);
    assert.doesNotMatch(await ask(net.a, '10.96.0.11', 80), /^(a|b|remote)/);
    net.expect(await ask(net.outside, nodeIp, 30081), 'b', '10.244.1.1');
    await net.gone(two);
    assert.equal(await ask(net.outside, nodeIp, 30081), 'refused');
    net.expect(await ask(net.b, vip, 80), 'a', '10.244.1.3');
  });

  test('connections live through changes, a new agent, and damage, which is repaired', async () => {
    await net.have({}, [onA]);
    let socket = await greeted(vip, 80);
    await net.have({}, [onB, onA]);
    assert.equal(await echo(socket), 'hello');
    await net.have({}, [onB]);
    // an endpoint that is gone for good may end its connections where the agent carries them
    if (rig.survivesAgent) assert.equal(await echo(socket), 'hello');
    else socket = await greeted(vip, 80);
    assert.match(await ask(undefined, vip, 80), /^b/);
    await net.stop(false);
    if (rig.survivesAgent) assert.match(await ask(net.a, vip, 80), /^b/);
    net.start();
    await net.have({}, [onB]);
    if (!rig.survivesAgent) socket = await greeted(vip, 80);
    for (const [program = '', ...args] of rig.damages) {
      execFileSync(program, args);
      await answers(async () => (rig.repaired?.() === false ? 'damaged' : ask(net.a, vip, 80)), /^b/);
    }
    assert.equal(await echo(socket), 'hello');
    socket.destroy();
  });

  test('IPv6 has the same', async () => {
    const six = 'fd00:10:96::10';
    const made = service('web', { clusterIP: six, clusterIPs: [six], ipFamilies: ['IPv6'] });
    await net.haveObjects([made, sliceOf(made, [{ address: 'fd00:10:244:1::2', nodeName: 'n1' }], 'IPv6')]);
    net.expect(await ask(net.b, six, 80), 'a', 'fd00:10:244:1::3');
    net.expect(await ask(net.a, six, 80), 'a', 'fd00:10:244:1::1');
    await net.haveObjects([made]);
    assert.equal(await ask(net.b, six, 80), 'refused');
  });

  test('a client over IPv6 comes back, and what both families share goes on', async () => {
    const six = 'fd00:10:96::10';
    const spec = { sessionAffinity: 'ClientIP', type: 'NodePort', ports: [{ port: 80, nodePort: port }] };
    const made = service('web', { ...spec, clusterIP: vip, clusterIPs: [vip, six], ipFamilies: ['IPv4', 'IPv6'] });
    const pods = ['fd00:10:244:1::2', 'fd00:10:244:1::3'].map(address => ({ address, nodeName: 'n1' }));
    await net.haveObjects([made, sliceOf(made, [onA, onB]), sliceOf(made, pods, 'IPv6')]);
    for (const address of [six, vip]) await net.expectAll(10, net.b, address, 80, [await ask(net.b, address, 80)]);
    const nodeSix = 'fd00:10:244:1::1';
    await net.expectAll(6, net.a, nodeSix, port, [await ask(net.a, nodeSix, port)]);
  });

  test('taking everything away leaves nothing', async () => {
    await net.have({ type: 'NodePort', ports: [{ port: 80, nodePort: port }] }, [onA]);
    await net.stop(true);
    assert.equal(rig.left(), '');
  });
}

async function greeted(address: string, number: number): Promise<Socket> {
  const socket = createConnection(number, address);
  socket.on('error', () => undefined);
  await once(socket, 'data', { signal: AbortSignal.timeout(patience) });
  return socket;
}

async function echo(socket: Socket): Promise<string> {
  socket.write('hello');
  return String((await once(socket, 'data', { signal: AbortSignal.timeout(patience) }))[0]);
}

/** Damage is seen within 10 s. */
async function answers(question: () => Promise<string>, wanted: RegExp): Promise<void> {
  const end = Date.now() + 12_000;
  for (;;) {
    const answer = await question();
    if (wanted.test(answer)) return;
    assert.ok(Date.now() < end, `still ${answer} after 12 s`);
    // who repairs lives in this process: it must have its turn, though the question may be answered without any wait
    await new Promise(resolve => setTimeout(resolve, 100));
  }
}
