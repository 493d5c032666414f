/** rtnetlink through the addon, with `ip -j` and the npm package `netlink` as witnesses. */
import { readlinkSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
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
  void describe;
});
