/** Services by the agent itself: the suite of all backends. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, test } from 'vitest';
import { UserspaceBackend } from '../../agent/proxy/userspace/backend.js';
import { inPrivateNetwork } from '../helpers/netns.js';
import { proxySuite } from '../suites/proxy.js';

const table = ['ip', 'keelson_userspace'];

inPrivateNetwork(
  import.meta.url,
  () =>
    proxySuite(
      { test, before: beforeAll, after: afterAll },
      {
        make: options => new UserspaceBackend(options),
        damages: [
          ['nft', 'flush', 'ruleset'],
          ['nft', 'flush', 'map', ...table, 'services'],
          ['nft', 'flush', 'chain', ...table, 'anywhere'],
        ],
        left: () =>
          execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' })
            .split('\n')
            .filter(line => line.includes('keelson_userspace'))
            .join('\n'),
        keepsSource: false,
        forgetsClients: true,
        survivesAgent: false,
      },
    ),
  240_000,
);
