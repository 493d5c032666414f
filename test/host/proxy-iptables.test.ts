/** Services by iptables of both flavours: the suite of all backends, as nftables' iptables and as the older one. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { IptablesBackend } from '../../agent/proxy/iptables/backend.js';
import type { Flavour } from '../../agent/proxy/iptables/run.js';
import { inPrivateNetwork } from '../helpers/netns.js';
import { ip } from '../helpers/spaces.js';
import { proxySuite } from '../suites/proxy.js';

const flavours: readonly (readonly [string, Flavour])[] = [
  ['iptables-nft', 'nf_tables'],
  ['iptables-legacy', 'legacy'],
];

inPrivateNetwork(
  import.meta.url,
  () => {
    for (const [name, flavour] of flavours)
      describe(name, () => {
        proxySuite(
          { test, before: beforeAll, after: afterAll },
          {
            make: options => new IptablesBackend(options, { name, flavour }),
            damages: [
              [name, '-t', 'nat', '-F', 'KUBE-SERVICES'],
              [name, '-t', 'nat', '-F'],
              [name, '-t', 'nat', '-D', 'PREROUTING', '1'],
            ],
            left: () =>
              [name, name.replace('iptables', 'ip6tables')]
                .flatMap(program => execFileSync(`${program}-save`, { encoding: 'utf8' }).split('\n'))
                .filter(line => line.includes('KUBE-'))
                .join('\n'),
            keepsSource: true,
            forgetsClients: true,
            survivesAgent: true,
          },
        );
        // the next flavour makes the same network
        afterAll(() => {
          for (const link of ['cni0', 'up0', 'pod0', 'pod1']) removed(link);
        });
      });
  },
  600_000,
);

function removed(link: string): void {
  try {
    ip('link', 'delete', link);
  } catch {
    // it went with its other end
  }
}
