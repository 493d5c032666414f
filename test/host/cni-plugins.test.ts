/** Our plugins as executables, chained by the spec; and what a runtime says of plugins that misbehave. */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseConfList } from '../../cni/conf-list.js';
import { ForeignNetwork } from '../../cni/foreign.js';
import { pluginsBuilt as built, callPlugin, pluginFolder as own } from '../helpers/cni-plugin.js';
import { inPrivateNetwork } from '../helpers/netns.js';

inPrivateNetwork(import.meta.url, () => {
  const folder = mkdtempSync(join(tmpdir(), 'kt-cni-'));
  const pod = spawn('unshare', ['-n', 'sleep', '300']);
  const netns = `/proc/${pod.pid}/ns/net`;
  beforeAll(() => {
    // the ports' table is kept in a fixed place: this test's own
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/var/lib']);
  });
  afterAll(() => {
    pod.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  const network = (plugins: object[], cniVersion = '1.1.0', timeoutMs = 20_000) =>
    new ForeignNetwork({
      list: parseConfList('test', JSON.stringify({ name: 'net', cniVersion, plugins })),
      binDirs: [folder, own],
      dataDir: folder,
      timeoutMs,
    });
  const attachment = { containerID: 'c1', netns, ifName: 'eth0', object: 'pod default/web' };
  const script = (name: string, body: string) => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(folder, name), 0o755);
  };
  const inPod = (...words: string[]) => execFileSync('nsenter', [`--net=${netns}`, ...words], { encoding: 'utf8' });

  describe.skipIf(!built)('our own', () => {
    const ipam = { subnet: '10.88.0.0/24', dataDir: join(folder, 'ipam') };
    const chain = [
      { type: 'keelson-bridge', bridge: 'kb0', ipam },
      { type: 'keelson-portmap', capabilities: { portMappings: true } },
      { type: 'keelson-bandwidth', capabilities: { bandwidth: true } },
    ];
    test.each(['0.3.1', '0.4.0', '1.0.0', '1.1.0'])(
      'a chain of version %s gives a container all that is asked',
      async v => {
        const net = network(chain, v);
        await net.setup();
        const ports = [{ hostPort: 18080, containerPort: 80, protocol: 'tcp' as const }];
        const made = await net.add({ ...attachment, portMappings: ports, bandwidth: { ingressBits: 8_000_000 } });
        expect(made).toMatchObject({ cniVersion: v, ips: [{ gateway: '10.88.0.1' }] });
        const address = made.ips[0]?.address ?? '';
        expect((made.ips[0] as { version?: string }).version).toBe(v.startsWith('0') ? '4' : undefined);
        expect(inPod('ip', '-o', 'addr')).toContain(address);
        expect(execFileSync('nft', ['list', 'map', 'ip', 'keelson_hostports', 'any'], { encoding: 'utf8' })).toContain(
          '18080',
        );
        expect(execFileSync('tc', ['qdisc'], { encoding: 'utf8' })).toContain('rate 8Mbit');
        await net.del(attachment);
        expect(readdirSync(join(folder, 'ipam/net')).filter(name => name.startsWith('10.'))).toEqual([]);
        expect(
          execFileSync('nft', ['list', 'map', 'ip', 'keelson_hostports', 'any'], { encoding: 'utf8' }),
        ).not.toContain('18080');
        inPod('ip', 'link', 'delete', 'eth0');
      },
    );

    test.each(['0.4.0', '1.1.0'])('of version %s, with ranges of both families', async v => {
      const ranges = [[{ subnet: 'fd00:10:88::/64' }], [{ subnet: '10.88.1.0/24' }]];
      const bridge = { type: 'keelson-bridge', bridge: 'kb6', ipam: { ranges, dataDir: join(folder, `ipam6-${v}`) } };
      const net = network([bridge, chain[1]!], v);
      await net.setup();
      const ports = [{ hostPort: 18081, containerPort: 80, protocol: 'tcp' as const }];
      const made = await net.add({ ...attachment, containerID: 'c6', ifName: 'eth6', portMappings: ports });
      expect(made.ips).toMatchObject([
        { address: 'fd00:10:88::2/64', gateway: 'fd00:10:88::1' },
        { address: '10.88.1.2/24', gateway: '10.88.1.1' },
      ]);
      expect((made.ips[0] as { version?: string }).version).toBe(v.startsWith('0') ? '6' : undefined);
      for (const { address } of made.ips) expect(inPod('ip', '-o', 'addr')).toContain(address);
      for (const family of ['ip', 'ip6'])
        expect(
          execFileSync('nft', ['list', 'map', family, 'keelson_hostports', 'any'], { encoding: 'utf8' }),
        ).toContain('18081');
      await net.del({ ...attachment, containerID: 'c6', ifName: 'eth6' });
      expect(readdirSync(join(folder, `ipam6-${v}/net`)).filter(name => isIP(name) > 0)).toEqual([]);
      inPod('ip', 'link', 'delete', 'eth6');
    });

    const call = (environment: Record<string, string>, input: string) => callPlugin('keelson-ipam', environment, input);
    const config = JSON.stringify({ cniVersion: '1.0.0', name: 'net', ipam });
    const garbage = config.replace('{', '{"cni.dev/valid-attachments":5,');
    const add = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'x', CNI_NETNS: '/x', CNI_IFNAME: 'eth0' };
    test.each([
      ['VERSION', { CNI_COMMAND: 'VERSION' }, '{"cniVersion":"1.0.0"}', { cniVersion: '1.0.0' }],
      ['no command', {}, config, { code: 4 }],
      ['no range', add, '{"cniVersion":"1.0.0","name":"net"}', { code: 7 }],
      [
        'two ranges of one family',
        add,
        config.replace('"subnet":"10.88.0.0/24"', '"ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"10.2.0.0/24"}]]'),
        { code: 7, msg: expect.stringContaining('one of IPv4 and one of IPv6') },
      ],
      [
        'more than one range of a set',
        add,
        config.replace('"subnet":"10.88.0.0/24"', '"ranges":[[{"subnet":"10.1.0.0/24"},{"subnet":"10.2.0.0/24"}]]'),
        { code: 7, msg: expect.stringContaining('ipam.ranges[0]') },
      ],
      ['no name', add, '{"cniVersion":"1.0.0"}', { code: 7 }],
      ['STATUS', { CNI_COMMAND: 'STATUS' }, config, {}],
      ['CHECK of one that nobody knows', { ...add, CNI_COMMAND: 'CHECK', CNI_CONTAINERID: 'y' }, config, { code: 3 }],
      ['GC of a list that is none', { CNI_COMMAND: 'GC' }, garbage, { code: 7 }],
      ['an address', add, config, { cniVersion: '1.0.0', ips: [{ gateway: '10.88.0.1' }] }],
    ])('%s', (_, environment, input, answer) => {
      expect(call(environment, input)).toMatchObject(answer);
    });

    test('CHECK finds what ADD gave; GC without a list takes all of it back', () => {
      expect(call(add, config)).toHaveProperty('ips');
      expect(call({ ...add, CNI_COMMAND: 'CHECK' }, config)).toEqual({});
      expect(call({ CNI_COMMAND: 'GC' }, config)).toEqual({});
      expect(call({ ...add, CNI_COMMAND: 'CHECK' }, config)).toMatchObject({ code: 3 });
    });
  });

  test.each([
    ['hangs', 'exec sleep 100', 'failed (add): no answer in 0.5 s'],
    ['garbage', 'echo hello', 'it printed something that is no JSON: hello'],
    ['fails', `echo '{"code":11,"msg":"no more","details":"all taken"}'; exit 1`, 'failed (add): no more: all taken'],
    ['dies', 'echo oops >&2; exit 3', 'exit code 3: oops'],
    ['nothing', 'true', 'gave pod default/web no address'],
  ])('a plugin that %s is told of by name', async (type, body, words) => {
    script(type, `[ "$CNI_COMMAND" = DEL ] && exit 0\n${body}`);
    const net = network([{ type }], '1.0.0', 500);
    await net.setup();
    await expect(net.add(attachment)).rejects.toThrow(words);
    expect(readdirSync(join(folder, 'results'))).toEqual([]);
  });

  test('a plugin that is not there', async () => {
    const net = network([{ type: 'absent' }]);
    await net.setup();
    await expect(net.add(attachment)).rejects.toThrow('failed to find plugin "absent" in path');
  });
});
