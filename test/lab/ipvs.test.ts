/** Services by ip_vs, which only this kernel has: the suite of all backends, in a network namespace of its own. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ServiceEntry } from '../../agent/proxy/contract.js';
import { IpvsBackend } from '../../agent/proxy/ipvs/backend.js';
import { schedulers } from '../../agent/proxy/modes.js';
import { ipvsList } from '../../native/index.js';
import { proxySuite } from '../suites/proxy.js';

const balanced = (address: string): ServiceEntry => ({
  key: `IPv4/tcp/${address}/80`,
  kind: 'loadBalancer',
  service: 'default/web',
  portName: '',
  family: 'IPv4',
  protocol: 'tcp',
  address,
  port: 80,
  endpoints: [{ address: '10.244.0.9', port: 8080, local: false }],
  none: 'reject',
  masquerade: 'outside',
});

const marker = 'KEELSON_TEST_NETNS';
const options = { clusterCidrs: ['10.244.0.0/16'], bridge: 'cni0' };

if (process.env[marker]) inside();
else
  test('ip_vs, in network and mount namespaces of its own', { timeout: 800_000 }, () => {
    for (const module of [
      'ip_vs',
      'br_netfilter',
      'dummy',
      'nft_fib_inet',
      'nft_reject_inet',
      'nft_fib_ipv4',
      'nft_fib_ipv6',
      ...schedulers.map(name => `ip_vs_${name}`),
    ])
      spawnSync('modprobe', ['-q', module]);
    const up = 'ip link set lo up && mount -t sysfs sysfs /sys; exec "$@"';
    const command = [process.execPath, '--test-reporter=spec', fileURLToPath(import.meta.url)];
    const env = { ...process.env, [marker]: '1' } as NodeJS.ProcessEnv;
    delete env.NODE_TEST_CONTEXT;
    const { status } = spawnSync('unshare', ['-n', '-m', 'sh', '-c', up, 'sh', ...command], { stdio: 'inherit', env });
    assert.equal(status, 0);
  });

function inside(): void {
  describe('ip_vs', { timeout: 780_000 }, () => {
    proxySuite(
      {
        test: (name, body) => void test(name, { timeout: 120_000 }, body),
        before: body => before(body, { timeout: 60_000 }),
        after: body => after(body, { timeout: 60_000 }),
      },
      {
        make: given => new IpvsBackend(given),
        damages: [['nft', 'flush', 'ruleset']],
        repaired: () => execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' }).includes('keelson_ipvs'),
        left: () =>
          [
            execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' }),
            execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' }),
          ]
            .flatMap(text => text.split('\n'))
            .filter(line => /keelson_ipvs|kube-ipvs0/.test(line))
            .join('\n') + execFileSync('sh', ['-c', 'tail -n +4 /proc/net/ip_vs'], { encoding: 'utf8' }),
        keepsSource: true,
        // ip_vs keeps a client as long as any connection of it, also one that has ended and waits out its two minutes
        forgetsClients: false,
        survivesAgent: true,
      },
    );

    test('an address of the node stays on its link, and one of another machine is left to that', async () => {
      execFileSync('sh', [
        '-ec',
        'ip link add own0 type dummy; ip address add 198.18.5.1/24 dev own0; ip link set own0 up',
      ]);
      const backend = new IpvsBackend(options);
      const served = async () => (await ipvsList()).map(({ address }) => address).sort();
      const onLink = () =>
        [
          ...execFileSync('ip', ['-4', '-o', 'address', 'show', 'kube-ipvs0'], { encoding: 'utf8' }).matchAll(
            /inet (\S+)/g,
          ),
        ]
          .map(([, address]) => address)
          .join(' ');
      backend.setMachines(new Set(['198.18.5.2']));
      const entries = ['198.18.5.1', '198.18.5.2', '198.18.5.9'].map(balanced);
      await backend.sync(new Map(entries.map(entry => [entry.key, entry])));
      assert.deepEqual(await served(), ['198.18.5.1', '198.18.5.9']);
      assert.equal(onLink(), '198.18.5.9/32');

      // that machine joins later
      backend.setMachines(new Set(['198.18.5.2', '198.18.5.9']));
      assert.equal(await backend.intact(), true);
      assert.deepEqual(await served(), ['198.18.5.1']);
      assert.equal(onLink(), '');
      await backend.cleanup();
      assert.deepEqual(await served(), []);
      execFileSync('ip', ['link', 'delete', 'own0']);
    });

    test('many Services come at once, and go', async () => {
      const backend = new IpvsBackend(options);
      const addresses = Array.from({ length: 400 }, (_, i) => `198.18.${6 + (i >> 8)}.${i & 255}`);
      const entries = addresses.map(balanced);
      await backend.sync(new Map(entries.map(entry => [entry.key, entry])));
      assert.deepEqual((await ipvsList()).map(({ address }) => address).sort(), addresses.sort());
      await backend.apply({ added: [], changed: [], removed: entries }, new Map());
      assert.deepEqual(await ipvsList(), []);
      await backend.cleanup();
    });

    test('every scheduler of the kernel is taken, and another one is refused with those that there are', async () => {
      for (const ipvsScheduler of schedulers)
        assert.equal(await new IpvsBackend({ ...options, ipvsScheduler }).unusable(), undefined, ipvsScheduler);
      const refused = await new IpvsBackend({ ...options, ipvsScheduler: 'best' }).unusable();
      assert.match(refused ?? '', /no scheduler best .*it has: rr, wrr/);
      assert.deepEqual(await ipvsList(), []);
    });
  });
}
