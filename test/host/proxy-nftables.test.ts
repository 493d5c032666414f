/** Services by nftables: the suite of all backends, and damage that only nftables knows. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, test } from 'vitest';
import { NftablesBackend } from '../../agent/proxy/nftables/backend.js';
import { inPrivateNetwork } from '../helpers/netns.js';
import { proxySuite } from '../suites/proxy.js';

const table = ['ip', 'keelson_services'];

inPrivateNetwork(
  import.meta.url,
  () =>
    proxySuite(
      { test, before: beforeAll, after: afterAll },
      {
        make: options => new NftablesBackend(options),
        damages: [
          ['nft', 'flush', 'ruleset'],
          ['nft', 'flush', 'map', ...table, 'endpoints_tcp'],
          ['nft', 'flush', 'chain', ...table, 'anywhere'],
        ],
        left: () =>
          execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' })
            .split('\n')
            .filter(line => line.includes('keelson_services'))
            .join('\n'),
        keepsSource: true,
        forgetsClients: true,
        survivesAgent: true,
      },
    ),
  240_000,
);
