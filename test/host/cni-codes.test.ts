/** What our executables answer when something is wrong: each number of the CNI spec by a real call; what CHECK notices. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostLinkName } from '../../cni/pod-link.js';
import { callPlugin, pluginFolder, pluginsBuilt } from '../helpers/cni-plugin.js';
import { inPrivateNetwork } from '../helpers/netns.js';

inPrivateNetwork(import.meta.url, () => {
  describe.skipIf(!pluginsBuilt)('executables', () => {
    const folder = mkdtempSync(join(tmpdir(), 'kt-codes-'));
    const space = spawn('unshare', ['-n', 'sh', '-c', 'echo; exec sleep 300']);
    const netns = `/proc/${space.pid}/ns/net`;
    const inside = (...words: string[]) => execFileSync('nsenter', [`--net=${netns}`, ...words], { encoding: 'utf8' });
    const ipam = {
      ranges: [[{ subnet: '10.66.0.0/24' }], [{ subnet: 'fd00:66::/64' }]],
      dataDir: join(folder, 'data'),
    };
    const config = { cniVersion: '1.1.0', name: 'net', bridge: 'kb0', ipam };
    const call = (
      command: string,
      input: object | string = config,
      more: Record<string, string> = {},
      type = 'bridge',
    ) =>
      callPlugin(
        `keelson-${type}`,
        { CNI_COMMAND: command, CNI_CONTAINERID: 'c1', CNI_NETNS: netns, CNI_IFNAME: 'eth0', ...more },
        input,
      );
    const small = {
      ...config,
      name: 'small',
      bridge: 'kb1',
      ipam: { subnet: '10.67.0.0/30', dataDir: join(folder, 'data') },
    };

    beforeAll(async () => {
      execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/var/lib']);
      await once(space.stdout, 'data');
    });
    afterAll(() => {
      space.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    });

    test.each([
      [
        'a version of the future',
        1,
        'ADD',
        { ...config, cniVersion: '2.0.0' },
        {},
        'incompatible CNI versions: config is "2.0.0"',
      ],
      ['a field for another bridge', 2, 'ADD', { ...config, vlan: 100 }, {}, 'unsupported field vlan: 100'],
      [
        'addresses without the node in front',
        2,
        'ADD',
        { ...config, ipMasq: false },
        {},
        'unsupported field ipMasq: false',
      ],
      [
        'addresses by others',
        2,
        'ADD',
        { ...config, ipam: { ...ipam, type: 'dhcp' } },
        {},
        'unsupported field ipam.type: "dhcp"',
      ],
      [
        'another gateway',
        2,
        'ADD',
        { ...config, ipam: { subnet: '10.66.0.0/24', gateway: '10.66.0.9' } },
        {},
        '"10.66.0.9"',
      ],
      [
        'part of a range',
        2,
        'STATUS',
        { ...config, ipam: { ranges: [[{ subnet: '10.66.0.0/24', rangeStart: '10.66.0.7' }]] } },
        {},
        'ipam.ranges[0].rangeStart: "10.66.0.7"',
      ],
      [
        'no such namespace',
        3,
        'ADD',
        config,
        { CNI_NETNS: '/proc/4194304/ns/net' },
        'container c1: there is no network namespace',
      ],
      ['a command that nobody knows', 4, 'GET', config, {}, 'unknown CNI_COMMAND: GET'],
      ['no interface', 4, 'ADD', config, { CNI_IFNAME: '' }, 'required env variables [CNI_IFNAME] missing'],
      ['a strange container', 4, 'ADD', config, { CNI_CONTAINERID: '-x' }, 'CNI_CONTAINERID "-x"'],
      ['text', 6, 'ADD', 'hello', {}, 'cannot decode the network configuration'],
      [
        'host bits',
        7,
        'ADD',
        { ...config, ipam: { subnet: '10.66.0.1/24' } },
        {},
        'host bits are set; the range is "10.66.0.0/24"',
      ],
      ['CHECK without a result', 7, 'CHECK', config, {}, 'prevResult'],
    ])('%s: %i', (_, code, command, input, environment, said) => {
      const answer = call(command, input, environment as Record<string, string>);
      expect(answer).toMatchObject({ cniVersion: expect.any(String), code, msg: expect.stringContaining(said) });
    });

    test('input and folders that cannot be read or written: 5', () => {
      const program = join(pluginFolder, 'keelson-bridge');
      expect(
        callPlugin('keelson-bridge', { CNI_COMMAND: 'ADD' }, '', [
          'sh',
          '-c',
          `exec ${program} 0> ${folder}/only-written`,
        ]),
      ).toMatchObject({ code: 5 });
      writeFileSync(join(folder, 'file'), '');
      const elsewhere = { ...config, ipam: { ...ipam, dataDir: join(folder, 'file') } };
      expect(call('ADD', elsewhere, {}, 'ipam')).toMatchObject({ code: 5 });
      expect(call('STATUS', elsewhere)).toMatchObject({
        code: 50,
        msg: expect.stringContaining('Cannot write to the folder'),
      });
    });

    test('a range that is full: 11, and by STATUS 50', () => {
      expect(call('STATUS', small, {}, 'ipam')).toEqual({});
      expect(call('ADD', small, {}, 'ipam')).toHaveProperty('ips');
      const full = expect.stringContaining('No address of 10.67.0.0/30 is free');
      expect(call('ADD', small, { CNI_CONTAINERID: 'c2' }, 'ipam')).toMatchObject({ code: 11, msg: full });
      for (const type of ['ipam', 'bridge'])
        expect(call('STATUS', small, {}, type)).toMatchObject({ code: 50, msg: full });
    });

    test("a bridge of somebody else's: 50, and 51 with containers that have lost it", () => {
      execFileSync('ip', ['link', 'add', 'kb2', 'type', 'veth', 'peer', 'name', 'kb2p']);
      const taken = { ...config, name: 'taken', bridge: 'kb2' };
      const said = expect.stringContaining('a link of kind "veth" has that name');
      expect(call('STATUS', taken)).toMatchObject({ code: 50, msg: said });
      mkdirSync(join(folder, 'data/taken'), { recursive: true });
      writeFileSync(join(folder, 'data/taken/10.66.0.7'), 'c7\r\neth0');
      expect(call('STATUS', taken)).toMatchObject({ code: 51, msg: said });
    });

    describe('CHECK', () => {
      let prevResult: Record<string, unknown>;
      const check = (more: object = {}) => call('CHECK', { ...config, prevResult, ...more });
      const host = hostLinkName('c1');
      const here = (...words: string[]) => execFileSync(words[0]!, words.slice(1));
      beforeAll(() => {
        prevResult = call('ADD');
      });

      test('is content with what ADD has made, and knows whom it has made it for', () => {
        expect(prevResult['ips']).toHaveLength(2);
        expect(check()).toEqual({});
        expect(call('STATUS')).toEqual({});
        const stranger = { CNI_CONTAINERID: 'c9' };
        expect(call('CHECK', { ...config, prevResult }, stranger)).toMatchObject({ code: 3 });
        expect(call('CHECK', { ...config, prevResult }, { CNI_NETNS: '/proc/4194304/ns/net' })).toMatchObject({
          code: 3,
        });
      });

      test.each([
        ['route to 0.0.0.0/0 over 10.66.0.1 is missing', () => inside('ip', 'route', 'del', 'default')],
        ['the address 10.66.0.', () => inside('ip', '-4', 'addr', 'flush', 'dev', 'eth0')],
        [
          'link "eth0" has the MAC 02:00:00:00:00:01',
          () => inside('ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:00:01'),
        ],
        [`host link "${host}" is down`, () => here('ip', 'link', 'set', host, 'down')],
        [`host link "${host}" is not on bridge "kb0"`, () => here('ip', 'link', 'set', host, 'nomaster')],
        ['bridge "kb0" is down', () => here('ip', 'link', 'set', 'kb0', 'down')],
        [
          'in the chain ip keelson postrouting_kb0 are missing',
          () => here('nft', 'flush', 'chain', 'ip', 'keelson', 'postrouting_kb0'),
        ],
        ['link "eth0" is missing', () => inside('ip', 'link', 'set', 'eth0', 'down', 'name', 'eth9')],
      ])('says that %s', (said, harm) => {
        prevResult = anew();
        harm();
        expect(check()).toMatchObject({ code: 100, msg: expect.stringContaining(said) });
      });

      /** As it was added. */
      function anew(): Record<string, unknown> {
        here('ip', 'link', 'delete', 'kb0');
        call('DEL');
        for (const name of inside('ip', '-o', 'link').match(/eth\d(?=@)/g) ?? []) inside('ip', 'link', 'delete', name);
        return call('ADD');
      }
    });
  });
});
