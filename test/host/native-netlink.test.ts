/** rtnetlink through the addon, with `ip -j` and the npm package `netlink` as witnesses. */
import { execFileSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createSandbox, KernelError, type LinkInfo, netlink, type Process, vethAttach } from '../../native/index.js';
import { ip, withCgroup } from '../helpers/cgroups.js';
import { inPrivateNetwork } from '../helpers/netns.js';

inPrivateNetwork(import.meta.url, () => {
  const sandboxIn = (cgroup: string, name: string) =>
    createSandbox({
      object: `pod test/${name}`,
      cgroup: `${cgroup}/${name}`,
      namespaces: { net: true, ipc: true, uts: true, pid: false },
    });

  const netnsOf = (process: Process) => `/proc/${process.pid}/ns/net`;

  async function withPods(names: string[], body: (pods: Process[]) => Promise<void>): Promise<void> {
    await withCgroup(async cgroup => {
      const pods = await Promise.all(names.map(name => sandboxIn(cgroup, name)));
      await body(pods);
      for (const pod of pods) {
        pod.signal(9);
        await pod.wait();
        pod.close();
      }
    });
  }

  test('attaches a pod to a bridge in one call', async () => {
    await netlink(null, [
      { op: 'bridge.add', name: 'br0', mac: '02:00:00:00:00:01' },
      { op: 'address.add', dev: 'br0', address: '10.9.0.1/24' },
      { op: 'link.set', name: 'br0', up: true },
    ]);
    await withPods(['a'], async ([pod]) => {
      const veth = await vethAttach({
        object: 'pod test/a',
        netns: netnsOf(pod!),
        hostName: 'vetha',
        name: 'eth0',
        bridge: 'br0',
        mtu: 1400,
        hairpin: true,
        addresses: ['10.9.0.2/24'],
        gateways: ['10.9.0.1'],
        ipv6: false,
      });
      const [host] = ip('link', 'show', 'vetha');
      expect(host).toMatchObject({
        ifindex: veth.hostIndex,
        address: veth.hostMac,
        mtu: 1400,
        master: 'br0',
        operstate: 'UP',
      });
      expect(host!['linkinfo']).toMatchObject({ info_slave_data: { hairpin: true } });
      const links = (await netlink(netnsOf(pod!), [{ op: 'link.list' }]))[0] as LinkInfo[];
      expect(links.find(link => link.name === 'eth0')).toMatchObject({
        mac: veth.mac,
        mtu: 1400,
        up: true,
        kind: 'veth',
      });
      expect(links.find(link => link.name === 'lo')).toMatchObject({ up: true });
      const [routes] = await netlink(netnsOf(pod!), [{ op: 'route.list' }]);
      expect(routes).toContainEqual(expect.objectContaining({ to: 'default', via: '10.9.0.1' }));
      expect(readlinkSync(netnsOf(pod!))).not.toBe(readlinkSync('/proc/self/ns/net'));
    });
  });

  test('a failed attach leaves no link behind', async () => {
    await withPods(['b'], async ([pod]) => {
      const spec = {
        object: 'pod test/b',
        netns: netnsOf(pod!),
        hostName: 'vethb',
        name: 'eth0',
        bridge: 'br0',
        addresses: ['10.9.0.3/24'],
        ipv6: false,
      };
      const error = await vethAttach({ ...spec, gateways: ['10.77.0.1'] }).catch(error => error);
      expect(error).toBeInstanceOf(KernelError);
      expect(error.message).toMatch(
        /^RTM_NEWROUTE for pod test\/b, default via 10.77.0.1: ENETUNREACH \(.*gateway.*\)$/i,
      );
      expect(ip('link').map(link => link['ifname'])).not.toContain('vethb');
      await expect(vethAttach({ ...spec, gateways: [], addresses: ['10.9.0.300/24'] })).rejects.toThrow(
        'parse("10.9.0.300/24") for pod test/b: EINVAL (expected an address',
      );
    });
  });

  test('a vxlan with its neighbour, forwarding entry and route; repeating and removing them', async () => {
    await netlink(null, [
      {
        op: 'vxlan.add',
        name: 'vx0',
        id: 1,
        port: 8472,
        local: '127.0.0.1',
        dev: 'lo',
        mtu: 1450,
        mac: '02:00:00:00:00:02',
      },
      { op: 'address.add', dev: 'vx0', address: '10.8.0.0/32' },
      { op: 'link.set', name: 'vx0', up: true },
    ]);
    expect(ip('link', 'show', 'vx0')[0]).toMatchObject({
      mtu: 1450,
      address: '02:00:00:00:00:02',
      linkinfo: { info_kind: 'vxlan', info_data: { id: 1, port: 8472, learning: false, local: '127.0.0.1' } },
    });
    const mac = '02:00:00:00:00:09';
    const peer = [
      { op: 'neighbour.replace', dev: 'vx0', address: '10.8.1.0', mac },
      { op: 'fdb.replace', dev: 'vx0', mac, to: '192.0.2.9' },
      { op: 'route.replace', to: '10.8.1.0/24', via: '10.8.1.0', dev: 'vx0', onlink: true, src: '10.8.0.0' },
    ] as const;
    await netlink(null, peer);
    await netlink(null, peer);
    expect(ip('neigh', 'show', 'dev', 'vx0')).toMatchObject([{ dst: '10.8.1.0', lladdr: mac, state: ['PERMANENT'] }]);
    expect(bridgeFdb('vx0')).toContainEqual(expect.objectContaining({ mac, dst: '192.0.2.9', state: 'permanent' }));
    const [routes] = await netlink(null, [{ op: 'route.list' }]);
    const dev = ip('link', 'show', 'vx0')[0]!.ifindex;
    expect(routes).toContainEqual({ to: '10.8.1.0/24', via: '10.8.1.0', dev, src: '10.8.0.0' });
    const gone = [
      { op: 'route.delete', to: '10.8.1.0/24', ifMissing: 'ignore' },
      { op: 'fdb.delete', dev: 'vx0', mac, to: '192.0.2.9', ifMissing: 'ignore' },
      { op: 'neighbour.delete', dev: 'vx0', address: '10.8.1.0', mac, ifMissing: 'ignore' },
      { op: 'address.delete', dev: 'vx0', address: '10.8.0.0/32', ifMissing: 'ignore' },
    ] as const;
    await netlink(null, gone);
    await netlink(null, gone);
    await netlink(null, [
      { op: 'link.delete', name: 'vx0' },
      { op: 'link.delete', name: 'vx0', ifMissing: 'ignore' },
    ]);
    await expect(netlink(null, [{ op: 'link.delete', name: 'vx0' }])).rejects.toMatchObject({
      syscall: 'RTM_DELLINK',
      object: 'vx0',
      code: 'ENODEV',
    });
  });

  const bridgeFdb = (dev: string) =>
    JSON.parse(execFileSync('bridge', ['-j', 'fdb', 'show', 'dev', dev], { encoding: 'utf8' })) as Record<
      string,
      unknown
    >[];

  test('veth pairs of one group go by one message; group 0 is refused', async () => {
    await withPods(['c', 'd'], async pods => {
      for (const [i, pod] of pods.entries()) {
        await netlink(null, [
          {
            op: 'veth.add',
            name: `vethg${i}`,
            peer: 'eth0',
            peerNetns: netnsOf(pod),
            group: 77,
            master: 'br0',
            hairpin: true,
            mtu: 1300,
            mac: `02:00:00:00:01:0${i}`,
          },
        ]);
      }
      const [links] = (await netlink(null, [{ op: 'link.list' }])) as [LinkInfo[]];
      expect(links.filter(link => link.group === 77)).toMatchObject([
        { name: 'vethg0', kind: 'veth', mtu: 1300, mac: '02:00:00:00:01:00', up: true },
        { name: 'vethg1', kind: 'veth', mtu: 1300, mac: '02:00:00:00:01:01', up: true },
      ]);
      await netlink(null, [
        { op: 'link.deleteGroup', group: 77 },
        { op: 'link.deleteGroup', group: 77 },
      ]);
      expect(ip('link').map(link => link.ifname)).not.toContainEqual(expect.stringMatching(/^vethg/));
      await expect(netlink(null, [{ op: 'link.deleteGroup', group: 0 }])).rejects.toThrow('group 0 holds every link');
    });
  });

  test('a link can be renamed, resized, freed from its bridge; a list of operations stops at the first failure', async () => {
    await netlink(null, [
      { op: 'bridge.add', name: 'br1' },
      { op: 'link.set', name: 'br1', mtu: 1280, rename: 'br2', mac: '02:00:00:00:00:07' },
    ]);
    expect(ip('link', 'show', 'br2')[0]).toMatchObject({ mtu: 1280, address: '02:00:00:00:00:07' });
    await expect(
      netlink(null, [
        { op: 'link.delete', name: 'absent' },
        { op: 'link.delete', name: 'br2' },
      ]),
    ).rejects.toThrow('RTM_DELLINK for absent: ENODEV');
    expect(ip('link').map(link => link.ifname)).toContain('br2');
    await netlink(null, [{ op: 'link.delete', name: 'br2' }]);
    await expect(netlink('/proc/1/ns/nope', [{ op: 'link.list' }])).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('a dump of hundreds of links is whole', async () => {
    const names = Array.from({ length: 300 }, (_, i) => `many${i}`);
    await netlink(
      null,
      names.map(name => ({ op: 'bridge.add', name }) as const),
    );
    const [links] = (await netlink(null, [{ op: 'link.list' }])) as [LinkInfo[]];
    expect(links.filter(link => link.name.startsWith('many')).map(link => link.name)).toEqual(names);
  });
});
