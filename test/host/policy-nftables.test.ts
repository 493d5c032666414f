/** NetworkPolicies in the kernel: a table that followed change by change is the one that is written at once. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { FamilyPolicies } from '../../agent/policy/family-table.js';
import { type Family, type LocalPod, planPolicies } from '../../agent/policy/plan.js';
import type { Pod } from '../../src/kube/pod.js';
import type { PolicyPeers } from '../../src/kube/policy-peers.js';
import { inPrivateNetwork } from '../helpers/netns.js';

const address = (family: Family, number: number): string => (family === 'ip' ? `10.0.0.${number}` : `fd00::${number}`);

const local = (family: Family, number: number): LocalPod => ({
  pod: {
    metadata: { namespace: 'default', name: `p${number}`, uid: `p${number}`, labels: { app: `a${number % 2}` } },
    spec: { containers: [{ name: 'c', ports: [{ name: 'web', containerPort: 8000 + number }] }] },
  } as unknown as Pod,
  addresses: [address(family, number)],
});

const policy = (family: Family, name: string, app: string, peers: readonly number[]): PolicyPeers =>
  ({
    kind: 'PolicyPeers',
    metadata: { namespace: 'default', name, uid: name },
    podSelector: { matchLabels: { app } },
    ingress: [
      {
        peers: { addresses: peers.map(n => address(family, n)), blocks: [] },
        ports: [{ protocol: 'TCP', port: 'web' }, { port: 80 }],
      },
    ],
    ...(name === 'b' && { egress: [] }),
  }) as unknown as PolicyPeers;

const nft = (...args: string[]): string => execFileSync('nft', args, { encoding: 'utf8' });
const table = (family: Family): string[] => ['table', family, 'keelson_policies'];
/** Elements in an order of their own. */
const listed = (family: Family): string =>
  nft('-s', 'list', ...table(family))
    .replace(/\s+/g, ' ')
    .replaceAll(/\{ ([^{}]+) \}/g, (_, all: string) => `{ ${all.split(', ').sort().join(', ')} }`);
const handleOf = (family: Family): string => /# handle (\d+)/.exec(nft('-a', 'list', ...table(family)))?.[1] ?? '';

/** Pods and policies of one moment. */
interface Moment {
  readonly pods: readonly number[];
  readonly peers: Readonly<Record<'a' | 'b', readonly number[] | undefined>>;
}

const history: readonly Moment[] = [
  { pods: [1, 2, 3, 4], peers: { a: [1, 7], b: undefined } },
  { pods: [1, 2, 3, 4], peers: { a: [7, 8, 9], b: undefined } },
  { pods: [1, 3, 4, 6], peers: { a: [8], b: undefined } },
  { pods: [1, 3, 4, 6], peers: { a: [], b: [1, 2] } },
  { pods: [3, 4, 5], peers: { a: [5], b: [3] } },
  { pods: [3, 4], peers: { a: undefined, b: [4, 5, 6] } },
  { pods: [4, 6], peers: { a: [1], b: [4, 5, 6] } },
];

inPrivateNetwork(import.meta.url, () => {
  test.each<Family>(['ip', 'ip6'])('%s: change by change', async family => {
    const planOf = ({ pods, peers }: Moment) =>
      planPolicies(
        (['a', 'b'] as const).flatMap(name => {
          const of = peers[name];
          return of ? [policy(family, name, name === 'a' ? 'a0' : 'a1', of)] : [];
        }),
        pods.map(n => local(family, n)),
        family,
      );
    const following = new FamilyPolicies(family, () => {});
    for (const moment of history) {
      await following.apply(planOf(moment));
      const changed = listed(family);
      expect(await following.isIntact()).toBe(true);
      await new FamilyPolicies(family, () => {}).apply(planOf(moment));
      expect(changed).toBe(listed(family));
    }
    await following.apply(planOf({ pods: [1], peers: { a: undefined, b: undefined } }));
    expect(nft('list', 'tables')).toBe('');
  });

  test('addresses that come and go leave the table in its place; damage is seen and mended', async () => {
    const plan = (peers: number[], pods: number[]) =>
      planPolicies(
        [policy('ip', 'a', 'a0', peers)],
        pods.map(n => local('ip', n)),
      );
    const kept = new FamilyPolicies('ip', () => {});
    await kept.apply(plan([1], [2]));
    const handle = handleOf('ip');
    await kept.apply(plan([1, 3, 5], [2, 4, 6]));
    expect(handleOf('ip')).toBe(handle);
    expect(listed('ip')).toContain('10.0.0.6');
    nft('flush', 'map', 'ip', 'keelson_policies', 'pods_in');
    expect(await kept.isIntact()).toBe(false);
    kept.forget();
    await kept.apply(plan([1, 3, 5], [2, 4, 6]));
    expect(await kept.isIntact()).toBe(true);
    nft('flush', 'ruleset');
    expect(await kept.isIntact()).toBe(false);
  });
});
