/** Services by ip_vs, which only this kernel has: the suite of all backends, in a network namespace of its own. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { IpvsBackend } from '../../agent/proxy/ipvs/backend.js';
import { schedulers } from '../../agent/proxy/modes.js';
import { ipvsList } from '../../native/index.js';
import { proxySuite } from '../suites/proxy.js';

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

    test('every scheduler of the kernel is taken, and another one is refused with those that there are', async () => {
      for (const ipvsScheduler of schedulers)
        assert.equal(await new IpvsBackend({ ...options, ipvsScheduler }).unusable(), undefined, ipvsScheduler);
      const refused = await new IpvsBackend({ ...options, ipvsScheduler: 'best' }).unusable();
      assert.match(refused ?? '', /no scheduler best .*it has: rr, wrr/);
      assert.deepEqual(await ipvsList(), []);
    });
  });
}
