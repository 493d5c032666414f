/** `keelson-vxlan` behind `keelson-bridge` on two nodes, which are namespaces: containers reach each other across. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callPlugin, pluginsBuilt } from '../helpers/cni-plugin.js';
import { inPrivateNetwork } from '../helpers/netns.js';

inPrivateNetwork(import.meta.url, () => {
  describe.skipIf(!pluginsBuilt)('two nodes', () => {
    const folder = mkdtempSync(join(tmpdir(), 'kt-vxlan-'));
    const spaces = Array.from({ length: 4 }, () => spawn('unshare', ['-n', 'sh', '-c', 'echo; exec sleep 300']));
    const netns = (i: number) => `/proc/${spaces[i]!.pid}/ns/net`;
    const within = (i: number, ...words: string[]) =>
      execFileSync('nsenter', [`--net=${netns(i)}`, ...words], { encoding: 'utf8', timeout: 10_000 });
    const subnetsOf = (node: number) => [`10.77.${node}.0/24`, `fd00:77:${node}::/64`];
    const peers = [0, 1].map(node => ({ address: `192.0.2.${node + 1}`, subnets: subnetsOf(node) }));

    const base = (node: number) => ({ cniVersion: '1.1.0', name: `net${node}` });
    const bridge = (node: number) => ({
      ...base(node),
      bridge: 'kb0',
      mtu: 1450,
      clusterCidr: '10.77.0.0/16,fd00:77::/32',
      ipam: { ranges: subnetsOf(node).map(subnet => [{ subnet }]), dataDir: folder },
    });
    const vxlan = (node: number, more: object = {}) => ({
      ...base(node),
      vni: 42,
      address: `192.0.2.${node + 1}`,
      subnets: subnetsOf(node),
      peers,
      ...more,
    });
    const call = (type: string, node: number, command: string, config: object) => {
      const container = { CNI_CONTAINERID: `c${node}`, CNI_NETNS: netns(node + 2), CNI_IFNAME: 'eth0' };
      return callPlugin(type, { CNI_COMMAND: command, ...container }, config, ['nsenter', `--net=${netns(node)}`]);
    };
    const results: Record<string, unknown>[] = [];
    const check = (node: number, more: object = {}) =>
      call('keelson-vxlan', node, 'CHECK', { ...vxlan(node, more), prevResult: results[node] });
    const again = (node: number, more: object = {}) =>
      call('keelson-vxlan', node, 'ADD', { ...vxlan(node, more), prevResult: results[node] });
    const link = 'keelson.v2a';

    beforeAll(async () => {
      execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/var/lib']);
      await Promise.all(spaces.map(space => once(space.stdout, 'data')));
      execFileSync('ip', ['link', 'add', 'n0', 'type', 'veth', 'peer', 'name', 'n1']);
      for (const node of [0, 1]) {
        execFileSync('ip', ['link', 'set', `n${node}`, 'netns', String(spaces[node]!.pid), 'up']);
        within(node, 'ip', 'addr', 'add', `192.0.2.${node + 1}/24`, 'dev', `n${node}`);
      }
    });
    afterAll(() => {
      for (const space of spaces) space.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    });

    /** Many whole packets, which must fit; the client's retries wait for the server. */
    const serverProgram = `require('net').createServer(s => s.end(Buffer.alloc(100000))).listen(8080, '::')`;
    const clientProgram = `const net = require('net'); const go = () => { let n = 0; const s = net.connect(8080, process.argv[1]); s.on('data', d => n += d.length); s.on('end', () => { process.stdout.write(String(n)); process.exit(0); }); s.on('error', () => setTimeout(go, 20)); }; go()`;

    test('STATUS is well before anything is made, and makes nothing', () => {
      expect(call('keelson-vxlan', 0, 'STATUS', vxlan(0))).toEqual({});
      expect(within(0, 'ip', '-o', 'link')).not.toContain(link);
      expect(call('keelson-vxlan', 0, 'STATUS', vxlan(0, { address: '192.0.2.9', peers: [] }))).toMatchObject({
        code: 50,
      });
    });

    test('containers reach each other in both families; their result is passed on', () => {
      for (const node of [0, 1]) {
        results[node] = call('keelson-bridge', node, 'ADD', bridge(node));
        expect(again(node)).toEqual(results[node]);
        expect(again(node)).toEqual(results[node]);
      }
      const server = spawn('nsenter', [`--net=${netns(3)}`, process.execPath, '-e', serverProgram]);
      try {
        for (const { address } of (results[1]?.['ips'] ?? []) as { address: string }[])
          expect(within(2, process.execPath, '-e', clientProgram, address.split('/')[0]!)).toBe('100000');
      } finally {
        server.kill('SIGKILL');
      }
      expect(within(0, 'ip', '-d', 'link', 'show', link)).toMatch(/mtu 1450 (.*\n)*.*vxlan id 42 .*nolearning/);
      expect(within(0, 'bridge', 'fdb', 'show', 'dev', link).trim()).toBe(
        '0a:58:0a:4d:01:00 dst 192.0.2.2 self permanent',
      );
    });

    test.each([
      ['the route', ['ip', 'route', 'del', '10.77.1.0/24'], 'the route to 10.77.1.0/24 is missing'],
      ['the neighbour', ['ip', 'neigh', 'del', '10.77.1.0', 'dev', link], 'the neighbour 10.77.1.0 with MAC'],
      ['the entry', ['bridge', 'fdb', 'del', '0a:58:0a:4d:01:00', 'dev', link], 'the forwarding entry of 0a:58'],
      ['the address', ['ip', 'addr', 'del', '10.77.0.0/32', 'dev', link], 'the address 10.77.0.0/32 is missing'],
      ['the link', ['ip', 'link', 'del', link], 'there is no such link'],
    ])('CHECK misses %s, and ADD gives it back', (_, words, said) => {
      expect(check(0)).toEqual({});
      within(0, ...words);
      expect(check(0)).toMatchObject({ code: 100, msg: expect.stringContaining(said) });
      again(0);
      expect(check(0)).toEqual({});
    });

    test('a tunnel that ends elsewhere is made anew', () => {
      expect(check(0, { port: 4789 })).toMatchObject({
        code: 100,
        msg: expect.stringContaining('it ends at 192.0.2.1 port 8472 instead of 192.0.2.1 port 4789'),
      });
      again(0, { port: 4789 });
      expect(check(0, { port: 4789 })).toEqual({});
      again(0);
      expect(check(0)).toEqual({});
    });

    test('peers are read from a file; GC forgets one that is gone, DEL forgets nobody', () => {
      const peersFile = join(folder, 'peers.json');
      const third = { address: '192.0.2.3', subnets: ['10.77.2.0/24'] };
      writeFileSync(peersFile, JSON.stringify([...peers, third]));
      const other = { peers: undefined, peersFile };
      again(0, other);
      expect(check(0, other)).toEqual({});
      expect(call('keelson-vxlan', 0, 'DEL', vxlan(0))).toEqual({});
      expect(within(0, 'ip', 'route')).toContain('10.77.2.0/24 via 10.77.2.0 dev keelson.v2a');
      expect(call('keelson-vxlan', 0, 'GC', vxlan(0))).toEqual({});
      expect(within(0, 'ip', 'route')).not.toContain('10.77.2.0');
      expect(within(0, 'bridge', 'fdb', 'show', 'dev', link)).not.toContain('192.0.2.3');
      expect(within(0, 'ip', 'neigh', 'show', 'dev', link, 'nud', 'permanent')).not.toContain('10.77.2.0');
      expect(check(0)).toEqual({});
      writeFileSync(peersFile, '{');
      expect(again(0, other)).toMatchObject({ code: 6 });
      rmSync(peersFile);
      expect(again(0, other)).toMatchObject({ code: 5 });
    });

    test.each([
      ['no address', { address: undefined }, 7],
      ['a number that is too large', { vni: 2 ** 24 }, 7],
      ['a range twice', { peers: [{ address: '192.0.2.2', subnets: ['10.77.0.0/16'] }] }, 7],
      ['a peer of another family', { peers: [{ address: 'fd00::2', subnets: ['10.77.3.0/24'] }] }, 7],
      ['no link before it', { prevResult: undefined }, 7],
    ])('%s is refused', (_, wrong, code) => {
      const config = { ...vxlan(0), prevResult: results[0], ...wrong };
      expect(call('keelson-vxlan', 0, 'ADD', config)).toMatchObject({ code });
    });

    test('STATUS tells a tunnel that cannot be made from one that has lost its way', () => {
      expect(call('keelson-vxlan', 0, 'STATUS', vxlan(0))).toEqual({});
      // the same number and port on another link: the kernel has but one
      within(1, 'ip', 'link', 'set', link, 'down', 'name', 'taken');
      expect(call('keelson-vxlan', 1, 'STATUS', vxlan(1))).toMatchObject({ code: 50 });
      within(0, 'ip', 'addr', 'flush', 'dev', 'n0');
      expect(call('keelson-vxlan', 0, 'STATUS', vxlan(0))).toMatchObject({ code: 51 });
    });
  });
});
