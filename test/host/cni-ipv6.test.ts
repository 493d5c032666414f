/** The bridge network with IPv6, beside IPv4 and alone: addresses at once, the way out, ports, and who is believed. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBridgeNetwork } from '../../cni/bridge.js';
import type { BridgeNetwork } from '../../cni/contract.js';
import type { Process } from '../../native/index.js';
import { attachmentOf, inPod, linkNames, withPods } from '../helpers/bare-pods.js';
import { ip } from '../helpers/cgroups.js';
import { inPrivateNetwork } from '../helpers/netns.js';
import { ask, connect, openSpace, type Space, serveIn } from '../helpers/spaces.js';

const families = [
  { name: 'beside IPv4', subnets: ['10.244.3.0/24', 'fd00:10:244:3::/64'] },
  { name: 'alone', subnets: ['fd00:10:244:3::/64'] },
];
const clusterCidrs = ['10.244.0.0/16', 'fd00:10:244::/56'];
const gateway = 'fd00:10:244:3::1';

/** To all nodes: a router at our own link-local address (RFC 4861, 4.2), for half an hour. */
const advertisement = `
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
s.sendto(bytes([134, 0, 0, 0, 64, 0, 7, 8]) + bytes(8), ('ff02::1', 0, 0, socket.if_nametoindex('eth0')))
`;

/** Sends a datagram from a fixed port and prints the answer. */
const datagram = `
const [to, port, from] = process.argv.slice(1);
const s = require('node:dgram').createSocket('udp6').bind(+from);
s.on('message', text => { process.stdout.write(String(text)); s.close(); });
s.send('?', +port, to);
`;

inPrivateNetwork(import.meta.url, () => {
  const folders: string[] = [];
  let world: Space;
  const open = async (subnets: string[], bridge = 'cni0'): Promise<BridgeNetwork & { folder: string }> => {
    const folder = await mkdtemp(join(tmpdir(), 'keelson-cni6-'));
    folders.push(folder);
    const settings = { name: 'keelson', bridge, subnets, clusterCidrs, mtu: 1450, hairpin: true, dataDir: folder };
    return Object.assign(createBridgeNetwork(settings), { folder });
  };
  const kernel = async (name: string) => (await readFile(`/proc/sys/net/ipv6/conf/${name}`, 'utf8')).trim();
  /** The global IPv6 address of a pod, as its kernel has it. */
  const addressOf = (pod: Process) =>
    /inet6 (fd00:10:244:3::[^/]+)/.exec(inPod(pod, 'ip', '-6', 'addr', 'show', 'dev', 'eth0'))?.[1] ?? '';

  beforeAll(async () => {
    world = await openSpace();
    await connect(world, 'uplink', 'eth0', ['fd00:99::2/64']);
    execFileSync('ip', ['addr', 'add', 'fd00:99::1/64', 'dev', 'uplink', 'nodad']);
    await world.serve('world', 9000);
  });
  afterAll(async () => {
    world.close();
    await Promise.all(folders.map(folder => rm(folder, { recursive: true, force: true })));
  });

  test('a link that takes its addresses from a router goes on when the node becomes one', async () => {
    await writeFile('/proc/sys/net/ipv6/conf/all/forwarding', '0');
    await writeFile('/proc/sys/net/ipv6/conf/uplink/accept_ra', '1');
    const network = await open(['fd00:10:244:3::/64']);
    await network.setup();
    expect(await kernel('uplink/accept_ra')).toBe('2');
    expect(await kernel('all/forwarding')).toBe('1');
    await network.teardown();
  });

  describe.each(families)('$name', ({ subnets }) => {
    let network: BridgeNetwork & { folder: string };
    const dual = subnets.length === 2;
    beforeAll(async () => {
      network = await open(subnets);
      await network.setup();
      await network.setup();
    });

    test('the bridge has its gateways, and believes nobody', async () => {
      const addresses = ip('addr', 'show', 'cni0')[0]?.addr_info as { local: string; scope: string }[];
      const own = addresses.filter(({ scope }) => scope === 'global').map(({ local }) => local);
      expect(own).toEqual(dual ? ['10.244.3.1', gateway] : [gateway]);
      expect(await kernel('cni0/accept_ra')).toBe('0');
      expect(await kernel('cni0/accept_redirects')).toBe('0');
      expect(await kernel('cni0/disable_ipv6')).toBe('0');
    });

    test('a pod has all addresses at once, and the way out; a repeated ADD finds them', async () => {
      await withPods(['one'], async one => {
        const result = await network.add(attachmentOf('one', one!));
        const address = 'fd00:10:244:3::2';
        expect(result.ips).toEqual([
          ...(dual ? [{ address: '10.244.3.2/24', gateway: '10.244.3.1', interface: 2 }] : []),
          { address: `${address}/64`, gateway, interface: 2 },
        ]);
        expect(result.routes.map(({ dst }) => dst)).toEqual(dual ? ['0.0.0.0/0', '::/0'] : ['::/0']);
        const inside = inPod(one!, 'ip', '-6', 'addr', 'show', 'dev', 'eth0');
        expect(inside).not.toContain('tentative');
        expect(inside.match(/inet6 /g)).toHaveLength(2); // and the link-local one
        expect(inPod(one!, 'ip', '-6', 'route')).toContain(`default via ${gateway} dev eth0`);
        expect(inPod(one!, 'ip', 'route').includes('default via 10.244.3.1')).toBe(dual);
        expect(inPod(one!, 'busybox', 'ping', '-6', '-c1', '-W1', gateway)).toContain(' 0% packet loss');
        expect(await network.add(attachmentOf('one', one!))).toEqual(result);
        expect((await readdir(join(network.folder, 'keelson'))).includes(address)).toBe(true);
        await network.del(attachmentOf('one', one!));
        expect((await readdir(join(network.folder, 'keelson'))).includes(address)).toBe(false);
      });
    });

    test('pods reach each other, and the world, which sees their node', async () => {
      await withPods(['a', 'b'], async (a, b) => {
        for (const [id, pod] of [
          ['a', a],
          ['b', b],
        ] as const)
          await network.add(attachmentOf(id, pod!));
        expect(inPod(a!, 'busybox', 'ping', '-6', '-c1', '-W1', addressOf(b!))).toContain(' 0% packet loss');
        const said = inPod(a!, 'bash', '-c', 'exec 3<>/dev/tcp/fd00:99::2/9000; head -n1 <&3');
        expect(said).toBe('world fd00:99::1\n');
        for (const [id, pod] of [
          ['a', a],
          ['b', b],
        ] as const)
          await network.del(attachmentOf(id, pod!));
      });
    });

    test('a pod that pretends to be a router is not believed', async () => {
      await withPods(['liar', 'victim'], async (liar, victim) => {
        for (const [id, pod] of [
          ['liar', liar],
          ['victim', victim],
        ] as const)
          await network.add(attachmentOf(id, pod!));
        const send = () => inPod(liar!, 'python3', '-c', advertisement);
        const routes = () => inPod(victim!, 'ip', '-6', 'route', 'show', 'default');
        send();
        // what was sent after it has arrived, so it would have, too
        expect(inPod(liar!, 'busybox', 'ping', '-6', '-c1', '-W1', addressOf(victim!))).toContain(' 0% packet loss');
        expect(routes().trim().split('\n')).toHaveLength(1);
        // and would be believed, if it came through
        execFileSync('nft', ['flush', 'chain', 'bridge', 'keelson', 'forward']);
        const routesAfter = () => {
          send();
          return routes().trim().split('\n').length;
        };
        await expect.poll(routesAfter).toBe(2);
        await network.setup();
        for (const [id, pod] of [
          ['liar', liar],
          ['victim', victim],
        ] as const)
          await network.del(attachmentOf(id, pod!));
      });
    });

    test('ports of the node lead to pods; clients of UDP follow to the next one', async () => {
      const ports = [
        { hostPort: 7000, containerPort: 7001, protocol: 'udp' as const },
        { hostPort: 7000, containerPort: 7001, protocol: 'tcp' as const, hostIP: 'fd00:99::1' },
      ];
      await withPods(['first', 'second'], async (first, second) => {
        await network.add({ ...attachmentOf('first', first!), portMappings: ports });
        const servers = [await serveIn(first!.pid, 'first', 7001), await serveIn(second!.pid, 'second', 7001)];
        try {
          expect(await ask(world, 'fd00:99::1', 7000)).toBe('first fd00:99::2');
          const client = () => world.run(process.execPath, '-e', datagram, 'fd00:99::1', '7000', '5555');
          expect(await client()).toBe('first fd00:99::2\n');
          await network.add({ ...attachmentOf('second', second!), portMappings: ports });
          expect(await client()).toBe('second fd00:99::2\n');
          execFileSync('nft', ['delete', 'table', 'ip6', 'keelson_hostports']);
          await network.check();
          expect(await ask(world, 'fd00:99::1', 7000)).toBe('second fd00:99::2');
        } finally {
          for (const server of servers) server.kill();
        }
        for (const [id, pod] of [
          ['first', first],
          ['second', second],
        ] as const)
          await network.del(attachmentOf(id, pod!));
      });
    });

    test('what somebody takes away is made again', async () => {
      const rules = () => execFileSync('nft', ['list', 'ruleset'], { encoding: 'utf8' });
      const before = rules();
      await network.check();
      expect(rules()).toBe(before);
      execFileSync('nft', ['delete', 'table', 'ip6', 'keelson']);
      execFileSync('nft', ['flush', 'table', 'bridge', 'keelson']);
      execFileSync('ip', ['addr', 'del', `${gateway}/64`, 'dev', 'cni0']);
      await network.check();
      for (const rule of ['ip6 saddr fd00:10:244:3::/64', 'iifgroup 27493', 'iifgroup 27495'])
        expect(rules()).toContain(rule);
      expect(execFileSync('ip', ['-6', 'addr', 'show', 'dev', 'cni0'], { encoding: 'utf8' })).toContain(gateway);
    });

    test('nothing stays', async () => {
      await network.teardown();
      expect(linkNames()).not.toContain('cni0');
      expect(execFileSync('nft', ['list', 'ruleset'], { encoding: 'utf8' })).not.toContain('keelson');
    });
  });

  test('a kernel without IPv6 is told of before anything is made', async () => {
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/proc/sys/net/ipv6']);
    try {
      await expect((await open(['fd00:10:244:3::/64'])).setup()).rejects.toThrow(
        'Pods cannot have IPv6 addresses: this kernel has no IPv6',
      );
      expect(linkNames()).not.toContain('cni0');
    } finally {
      execFileSync('umount', ['/proc/sys/net/ipv6']);
    }
  });

  test('a node that has lost its IPv6 range has no IPv6 on its bridge', async () => {
    await (await open(['10.244.9.0/24', 'fd00:10:244:9::/64'])).setup();
    const network = await open(['10.244.3.0/24']);
    await network.setup();
    expect(execFileSync('ip', ['-6', 'addr', 'show', 'dev', 'cni0'], { encoding: 'utf8' })).toBe('');
    await network.teardown();
  });
});
