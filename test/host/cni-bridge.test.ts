/** The bridge network with real namespaces: pods reach each other, nothing is left behind, crashes are cleaned up. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRtNetlink } from 'netlink';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBridgeNetwork } from '../../cni/bridge.js';
import type { BridgeConfig, BridgeNetwork } from '../../cni/contract.js';
import { Ipam } from '../../cni/ipam.js';
import { hostLinkName } from '../../cni/pod-link.js';
import { bridgeMac, parseRange } from '../../cni/ranges.js';
import { attachmentOf, inPod, linkNames, withPods } from '../helpers/bare-pods.js';
import { ip } from '../helpers/cgroups.js';
import { inPrivateNetwork } from '../helpers/netns.js';

inPrivateNetwork(import.meta.url, () => {
  let dataDir: string;
  let config: BridgeConfig;
  let network: BridgeNetwork;

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'keelson-cni-'));
    config = {
      name: 'keelson',
      bridge: 'cni0',
      subnets: ['10.244.3.0/24'],
      clusterCidrs: ['10.244.0.0/16'],
      mtu: 1450,
      hairpin: true,
      dataDir,
    };
    network = createBridgeNetwork(config);
    await network.setup();
  });
  afterAll(() => rm(dataDir, { recursive: true }));

  const leases = async () => (await readdir(join(dataDir, 'keelson'))).filter(name => isIP(name) > 0).sort();
  test('set-up twice gives one bridge, one address, one rule', async () => {
    await network.setup();
    await createBridgeNetwork(config).setup();
    const [bridge] = ip('addr', 'show', 'cni0');
    expect(bridge).toMatchObject({
      address: '0a:58:0a:f4:03:01',
      mtu: 1450,
      addr_info: [{ local: '10.244.3.1', prefixlen: 24 }],
    });
    const rules = execFileSync('nft', ['list', 'table', 'ip', 'keelson'], { encoding: 'utf8' });
    expect(rules.match(/masquerade/g)).toHaveLength(1);
    expect(await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8')).toBe('1\n');
    expect(await readFile('/proc/sys/net/ipv4/conf/cni0/rp_filter', 'utf8')).toBe('1\n');
    expect(await readFile('/proc/sys/net/ipv6/conf/cni0/accept_ra', 'utf8')).toBe('0\n');
  });

  test('a node that got another range drops the old address', async () => {
    await createBridgeNetwork({ ...config, subnets: ['10.244.9.0/24'] }).setup();
    expect(ip('addr', 'show', 'cni0')[0]).toMatchObject({ addr_info: [{ local: '10.244.9.1' }] });
    await network.setup();
    expect(ip('addr', 'show', 'cni0')[0]).toMatchObject({ addr_info: [{ local: '10.244.3.1' }] });
  });

  test('two pods and their node reach each other; a released address is free again', async () => {
    await withPods(['a', 'b'], async (a, b) => {
      const results = await Promise.all([network.add(attachmentOf('a', a!)), network.add(attachmentOf('b', b!))]);
      const [addressA, addressB] = results.map(result => result.ips[0]!.address.split('/')[0]!);
      expect(addressA).not.toBe(addressB);
      expect(results[0]).toMatchObject({
        cniVersion: '1.1.0',
        interfaces: [
          { name: 'cni0', mac: bridgeMac(parseRange('10.244.3.0/24', 'subnet')) },
          { name: hostLinkName('a') },
          { name: 'eth0', sandbox: `/proc/${a!.pid}/ns/net` },
        ],
        ips: [{ gateway: '10.244.3.1', interface: 2 }],
        routes: [{ dst: '0.0.0.0/0', gw: '10.244.3.1' }],
      });
      // Through sockets: a server in pod b answers pod a and the node.
      const server = spawn('nsenter', ['-t', String(b!.pid), '-n', process.execPath, '-e', serverProgram]);
      try {
        expect(inPod(a!, process.execPath, '-e', clientProgram, addressB!)).toBe(`hello ${addressA}`);
        expect(
          execFileSync(process.execPath, ['-e', clientProgram, addressB!], { encoding: 'utf8', timeout: 10_000 }),
        ).toBe('hello 10.244.3.1');
      } finally {
        server.kill('SIGKILL');
        await once(server, 'exit');
      }
      // No IPv6 address on either end.
      expect(inPod(a!, 'ip', '-6', 'addr', 'show', 'dev', 'eth0')).toBe('');
      expect(execFileSync('ip', ['-6', 'addr', 'show', 'dev', hostLinkName('a')], { encoding: 'utf8' })).toBe('');
      expect(await leases()).toEqual([addressA, addressB].sort());
      for (const containerID of ['a', 'b', 'unknown'])
        await network.del({ containerID, ifName: 'eth0', object: 'pod test' });
      expect(await leases()).toEqual([]);
    });
  });

  /** Answers one line with the peer's address. Retries of the client make its start no matter of luck. */
  const serverProgram = `require('net').createServer(s => s.end('hello ' + s.remoteAddress.replace('::ffff:', ''))).listen(8080, '0.0.0.0')`;
  const clientProgram = `const net = require('net'); const go = () => { let t = ''; const s = net.connect(8080, process.argv[1]); s.on('data', d => t += d); s.on('end', () => { process.stdout.write(t); process.exit(0); }); s.on('error', () => setTimeout(go, 20)); }; go()`;

  test('a witness of another make sees the same links', async () => {
    await withPods(['w'], async w => {
      const result = await network.add(attachmentOf('w', w!));
      const witness = createRtNetlink();
      const links = (await witness.getLinks()) as { attrs: { ifname?: string; mtu?: number; address?: Uint8Array } }[];
      const host = links.find(({ attrs }) => attrs.ifname === hostLinkName('w'))!;
      expect(host.attrs.mtu).toBe(1450);
      expect(Buffer.from(host.attrs.address!).toString('hex')).toBe(result.interfaces[1]!.mac!.replaceAll(':', ''));
      await network.del({ containerID: 'w', ifName: 'eth0', object: 'pod test/w' });
    });
  });

  test('ADD may be repeated: same address, same link', async () => {
    await withPods(['r'], async r => {
      const first = await network.add(attachmentOf('r', r!));
      expect(await network.add(attachmentOf('r', r!))).toEqual(first);
      expect(await createBridgeNetwork(config).add(attachmentOf('r', r!))).toEqual(first);
      await network.del({ containerID: 'r', ifName: 'eth0', object: 'pod test/r' });
    });
  });

  test('a sandbox made anew under the same id gets the address back and the old link goes', async () => {
    await withPods(['old', 'new'], async (old, fresh) => {
      const first = await network.add(attachmentOf('same', old!));
      const second = await network.add(attachmentOf('same', fresh!));
      expect(second.ips).toEqual(first.ips);
      expect(inPod(old!, 'ip', '-o', 'link')).not.toContain('eth0');
      expect(inPod(fresh!, 'ip', '-o', 'link')).toContain('eth0');
      await network.del({ containerID: 'same', ifName: 'eth0', object: 'pod test/same' });
    });
  });

  test('an ADD that fails gives the address back and names the pod', async () => {
    const attachment = { containerID: 'f', netns: '/proc/4194304/ns/net', ifName: 'eth0', object: 'pod test/f' };
    await expect(network.add(attachment)).rejects.toThrow(
      'Cannot attach pod test/f to bridge "cni0": open(/proc/4194304/ns/net) for pod test/f: ENOENT (the network namespace is gone)',
    );
    expect(await leases()).toEqual([]);
  });

  test('gc releases what a crash left: a lease without a link, a link without a pod', async () => {
    await withPods(['kept', 'lost'], async (kept, lost) => {
      await network.add(attachmentOf('kept', kept!));
      await network.add(attachmentOf('lost', lost!));
      // A crash between allocation and attachment: only the file is there.
      const crashed = new Ipam({ dataDir, name: 'keelson', range: parseRange('10.244.3.0/24', 'subnet') });
      await crashed.allocate('crashed', 'eth0');
      await crashed.settled();
      const restarted = createBridgeNetwork(config);
      await restarted.gc(new Set(['kept']));
      expect(linkNames()).toContain(hostLinkName('kept'));
      expect(linkNames()).not.toContain(hostLinkName('lost'));
      expect(await leases()).toHaveLength(1);
      await restarted.gc(new Set());
      expect(linkNames()).not.toContain(hostLinkName('kept'));
      expect(await leases()).toEqual([]);
    });
  });

  test('pods are masqueraded towards the world only', async () => {
    const rules = execFileSync('nft', ['list', 'chain', 'ip', 'keelson', 'postrouting'], { encoding: 'utf8' });
    expect(rules).toMatch(
      /ip saddr 10\.244\.3\.0\/24 ip daddr != \{ 10\.244\.0\.0\/16, 224\.0\.0\.0\/4 \} oifname != "cni0" masquerade/,
    );
  });

  test('no IPv6 crosses the bridge', async () => {
    await withPods(['six', 'seven'], async (six, seven) => {
      await network.add(attachmentOf('six', six!));
      await network.add(attachmentOf('seven', seven!));
      // Even where a pod gives itself addresses: IPv4 gets through, IPv6 does not.
      inPod(six!, 'ip', 'addr', 'add', 'fd00::6/64', 'dev', 'eth0', 'nodad');
      inPod(seven!, 'ip', 'addr', 'add', 'fd00::7/64', 'dev', 'eth0', 'nodad');
      const dropped = () =>
        execFileSync('nft', ['list', 'chain', 'bridge', 'keelson', 'forward'], { encoding: 'utf8' });
      expect(dropped()).toMatch(/iifgroup 27493 ether type ip6 drop/);
      const program = `require('net').connect(9, 'fd00::7').on('error', e => { process.stdout.write(e.code); process.exit(); })`;
      expect(inPod(six!, process.execPath, '-e', program)).toMatch(/EHOSTUNREACH|ETIMEDOUT/);
      for (const containerID of ['six', 'seven'])
        await network.del({ containerID, ifName: 'eth0', object: 'pod test' });
    });
  });

  test('teardown takes bridge and rules, and nothing of others', async () => {
    execFileSync('nft', ['add', 'table', 'ip', 'foreign']);
    execFileSync('nft', ['add', 'chain', 'ip', 'keelson', 'services']);
    await network.teardown();
    const list = () => execFileSync('nft', ['list', 'ruleset'], { encoding: 'utf8' });
    expect(list()).toMatch(/table ip foreign/);
    expect(list()).toMatch(/chain services/);
    expect(list()).not.toMatch(/masquerade/);
    expect(linkNames()).not.toContain('cni0');
    execFileSync('nft', ['delete', 'chain', 'ip', 'keelson', 'services']);
    await network.teardown();
    expect(list()).not.toMatch(/keelson/);
  });
});
