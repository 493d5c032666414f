/**
 * Manifests such as people apply every day, from test/cases/manifests. The comments at the top of a file say what must
 * come of it, in lines that this test reads:
 *
 *     # expect: ready | succeeded | failed [REASON] | waiting REASON | pending | refused TEXT
 *     # logs: CONTAINER => REGULAR EXPRESSION
 *     # event: REASON => REGULAR EXPRESSION
 *     # status: JSONPATH => REGULAR EXPRESSION
 *     # pod: NAME, if it is not the file's
 *     # table: what `kubectl get` shows as STATUS
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Pod } from '../../src/kube/pod.js';
import { type Cluster, eventually, repository, startCluster } from '../helpers/cluster.js';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ images: ['busybox'] });
  const image = join(repository, '.cache/images/busybox');
  await cluster.ok(cluster.keelson('image', 'import', image, '--name', 'busybox', '--data-dir', cluster.dataDir));
});
afterAll(async () => cluster?.[Symbol.asyncDispose]());

const folder = join(repository, 'test/cases/manifests');

interface Case {
  readonly file: string;
  readonly pod: string;
  readonly expect: string;
  readonly checks: readonly { readonly what: string; readonly of: string; readonly like: RegExp }[];
}

function readCase(name: string): Case {
  const file = join(folder, name);
  const lines = readFileSync(file, 'utf8').split('\n');
  const comments = lines
    .slice(
      0,
      lines.findIndex(line => !line.startsWith('#')),
    )
    .map(line => line.slice(2));
  const expected = comments.find(line => line.startsWith('expect: '))?.slice('expect: '.length);
  if (!expected) throw new Error(`${file}: no line "# expect: …"`);
  const checks = comments.flatMap(line => {
    const match = /^(logs|event|status): (\S+) => (.*)$/.exec(line);
    return match ? [{ what: match[1]!, of: match[2]!, like: new RegExp(match[3]!) }] : [];
  });
  const table = comments.find(line => line.startsWith('table: '))?.slice('table: '.length);
  const shown = table ? [{ what: 'table', of: '', like: new RegExp(` ${table} `) }] : [];
  const pod = comments.find(line => line.startsWith('pod: '))?.slice('pod: '.length);
  return { file, pod: pod ?? name.replace(/\.yaml$/, ''), expect: expected, checks: [...checks, ...shown] };
}

const cases = readdirSync(folder)
  .filter(name => name.endsWith('.yaml'))
  .map(readCase);

const phase = (pod: string, wanted: string) =>
  cluster.kubectl('wait', `--for=jsonpath={.status.phase}=${wanted}`, `pod/${pod}`, '--timeout=30s');

async function comesTrue({ pod, expect: expected }: Case): Promise<void> {
  const [word, ...rest] = expected.split(' ');
  switch (word) {
    case 'ready':
      return void (await cluster.kubectl('wait', '--for=condition=Ready', `pod/${pod}`, '--timeout=30s'));
    case 'succeeded':
      return void (await phase(pod, 'Succeeded'));
    case 'failed': {
      await phase(pod, 'Failed');
      if (rest[0]) expect((await cluster.get<Pod>('pod', pod)).status?.reason).toBe(rest[0]);
      return;
    }
    case 'waiting':
      return void (await eventually(`${pod} waits: ${rest[0]}`, async () => {
        const { status } = await cluster.get<Pod>('pod', pod);
        return status?.containerStatuses?.some(one => one.state?.waiting?.reason === rest[0]);
      }));
    case 'pending':
      return void (await eventually(`${pod} cannot be placed`, async () => {
        const { status } = await cluster.get<Pod>('pod', pod);
        return status?.conditions?.some(one => one.type === 'PodScheduled' && one.status === 'False');
      }));
    default:
      throw new Error(`unknown expectation "${expected}"`);
  }
}

async function look(pod: string, what: string, of: string): Promise<string> {
  switch (what) {
    case 'logs':
      return cluster.kubectl('logs', pod, '-c', of);
    case 'status':
      return cluster.kubectl('get', 'pod', pod, '-o', `jsonpath={${of}}`);
    case 'event':
      return cluster.kubectl('get', 'events', '--field-selector', `involvedObject.name=${pod},reason=${of}`);
    default:
      return cluster.kubectl('get', 'pod', pod);
  }
}

describe.concurrent('manifests', () => {
  test.each(cases.filter(one => one.expect.startsWith('refused ')))('$pod: $expect', async one => {
    const { code, stderr } = await cluster.tryKubectl(['create', '-f', one.file]);
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(one.expect.slice('refused '.length)));
  });

  test.each(cases.filter(one => !one.expect.startsWith('refused ')))('$pod: $expect', async one => {
    await cluster.kubectl('create', '-f', one.file);
    try {
      await comesTrue(one);
      for (const { what, of, like } of one.checks) {
        let seen = '';
        await eventually(
          `${one.pod}: ${what} ${of} like ${like}`,
          async () => {
            seen = await look(one.pod, what, of);
            return like.test(seen);
          },
          10_000,
        ).catch((error: Error) => {
          throw new Error(`${error.message}; it is:\n${seen}`);
        });
      }
    } catch (error) {
      const told = await cluster.tryKubectl(['describe', 'pod', one.pod]);
      throw new Error(`${(error as Error).message}\n${told.stdout}`);
    } finally {
      await cluster.kubectl('delete', '-f', one.file, '--grace-period=1');
    }
  });
});
