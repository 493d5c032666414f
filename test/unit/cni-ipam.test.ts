/** Addresses: the pure arithmetic, and the allocator over a folder of files in host-local's layout. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { CniError } from '../../cni/contract.js';
import { Ipam } from '../../cni/ipam.js';
import { LeaseBook } from '../../cni/leases.js';
import { gatewayOf, nextFree, parseRange, parseRanges, podAddresses, rangeMac } from '../../cni/ranges.js';
import { formatIp, parseIp } from '../../src/base/cidr.js';

describe('ranges', () => {
  const addressesOf = (text: string): [string, string, bigint] => {
    const range = parseRange(text, 'subnet');
    const { first, last, count } = podAddresses(range);
    return [formatIp(range.family, first), formatIp(range.family, last), count];
  };

  test.each(['10.0.0', '10.0.0.256/24', '10.0.0.01/24', 'a.b.c.d/8', '::1', 'fd00::/129', 'fd00::g/64'])(
    '"%s" is not a range',
    text => {
      expect(() => parseRange(text, 'subnet')).toThrow(
        `Cannot use subnet "${text}": expected a range such as "10.244.0.0/24" or "fd00:10:244::/64"`,
      );
    },
  );

  test('network, gateway and broadcast are nobody’s; IPv6 has no broadcast', () => {
    expect(gatewayOf(parseRange('10.244.1.0/24', 'subnet'))).toBe('10.244.1.1');
    expect(addressesOf('10.244.1.0/24')).toEqual(['10.244.1.2', '10.244.1.254', 253n]);
    expect(addressesOf('10.0.0.0/31')[2]).toBe(0n);
    expect(gatewayOf(parseRange('fd00:10:244:1::/64', 'subnet'))).toBe('fd00:10:244:1::1');
    expect(addressesOf('fd00:10:244:1::/126')).toEqual(['fd00:10:244:1::2', 'fd00:10:244:1::3', 2n]);
    expect(addressesOf('fd00::/127')[2]).toBe(0n);
  });

  test('a wrong range is refused by name, with what is allowed', () => {
    expect(() => parseRange('10.244.1.5/24', 'subnet')).toThrow('host bits are set; the range is "10.244.1.0/24"');
    expect(() => parseRange('fd00::5/64', 'subnet')).toThrow('host bits are set; the range is "fd00::/64"');
    expect(() => parseRange('10.0.0.0/33', 'clusterCidr')).toThrow(CniError);
    expect(() => parseRanges(['10.0.0.0/24', '10.0.1.0/24'], 'subnet')).toThrow('one of IPv4 and one of IPv6');
    expect(() => parseRanges([], 'subnet')).toThrow(CniError);
  });

  test('the next address is the first free one after the previous, round and round', () => {
    const range = parseRange('10.0.0.0/29', 'subnet'); // .2 … .6
    const host = (last: number) => range.first + BigInt(last);
    expect(nextFree(range, undefined, new Set())).toBe(host(2));
    expect(nextFree(range, host(2), new Set())).toBe(host(3));
    expect(nextFree(range, host(6), new Set())).toBe(host(2));
    expect(nextFree(range, host(4), new Set([5, 6, 2].map(host)))).toBe(host(3));
    expect(nextFree(range, host(4), new Set([2, 3, 4, 5, 6].map(host)))).toBeUndefined();
    expect(nextFree(range, parseIp('9.9.9.9'), new Set())).toBe(host(2));
  });

  test('MACs come from addresses, and differ between nodes and between bridge and tunnel', () => {
    const all = ['10.244.1.0/24', '10.244.2.0/24', 'fd00:10:244:1::/64', 'fd00:10:244:2::/64', 'fd00:10:244:100::/112'];
    const macs = all.flatMap(text => [0n, 1n].map(host => rangeMac(parseRange(text, 'subnet'), host)));
    expect(new Set(macs).size).toBe(macs.length);
    expect(macs[1]).toBe('0a:58:0a:f4:01:01');
  });
});

describe('leases', () => {
  const folders: string[] = [];
  afterEach(() => Promise.all(folders.splice(0).map(folder => rm(folder, { recursive: true }))));

  async function makeFolder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'keelson-ipam-'));
    folders.push(folder);
    return folder;
  }
  const ipamIn = (dataDir: string, subnet = '10.1.0.0/28') =>
    new Ipam({ dataDir, name: 'net', range: parseRange(subnet, 'subnet') });
  const leasesIn = async (dataDir: string) =>
    (await readdir(join(dataDir, 'net')).catch(() => [])).filter(name => isIP(name) > 0).sort();

  test('the files are host-local’s', async () => {
    const dataDir = await makeFolder();
    const ipam = ipamIn(dataDir);
    expect(await ipam.allocate('abc', 'eth0')).toEqual({ address: '10.1.0.2', fresh: true });
    await ipam.settled();
    expect(await readFile(join(dataDir, 'net/10.1.0.2'), 'utf8')).toBe('abc\r\neth0');
    expect(await readFile(join(dataDir, 'net/last_reserved_ip.0'), 'utf8')).toBe('10.1.0.2');
  });

  test('asking twice gives the same address, also at once and after a restart', async () => {
    const dataDir = await makeFolder();
    const ipam = ipamIn(dataDir);
    const [one, two] = await Promise.all([ipam.allocate('abc', 'eth0'), ipam.allocate('abc', 'eth0')]);
    expect(two).toEqual({ address: one.address, fresh: false });
    expect(await ipamIn(dataDir).allocate('abc', 'eth0')).toEqual({ address: one.address, fresh: false });
    expect((await ipam.allocate('abc', 'eth1')).address).not.toBe(one.address);
    await ipam.settled();
  });

  test('a released address is given out last, also after a restart', async () => {
    const dataDir = await makeFolder();
    const ipam = ipamIn(dataDir, '10.1.0.0/29');
    for (const id of ['a', 'b']) await ipam.allocate(id, 'eth0');
    await ipam.release('a', 'eth0');
    await ipam.settled();
    const restarted = ipamIn(dataDir, '10.1.0.0/29');
    const given = [];
    for (const id of ['c', 'd', 'e', 'f']) given.push((await restarted.allocate(id, 'eth0')).address);
    expect(given).toEqual(['10.1.0.4', '10.1.0.5', '10.1.0.6', '10.1.0.2']);
    await restarted.settled();
  });

  test('a full range says so, and works again when one is given back, by whomever', async () => {
    const dataDir = await makeFolder();
    const ipam = ipamIn(dataDir, '10.1.0.0/30');
    await ipam.allocate('a', 'eth0');
    await expect(ipam.allocate('b', 'eth0')).rejects.toThrow(
      `No address of 10.1.0.0/30 is free in "${dataDir}/net": all 1 from 10.1.0.2 to 10.1.0.2 are taken`,
    );
    await ipamIn(dataDir, '10.1.0.0/30').release('a', 'eth0');
    expect((await ipam.allocate('b', 'eth0')).address).toBe('10.1.0.2');
    await ipam.settled();
  });

  test('an address that another process took meanwhile is not given out', async () => {
    const dataDir = await makeFolder();
    const ipam = ipamIn(dataDir);
    await ipam.allocate('a', 'eth0');
    await writeFile(join(dataDir, 'net/10.1.0.3'), 'foreign\r\neth0');
    expect((await ipam.allocate('b', 'eth0')).address).toBe('10.1.0.4');
    expect((await ipam.allocate('foreign', 'eth0')).address).toBe('10.1.0.3');
    await ipam.settled();
  });

  test('what a crash left half-written stays taken until it is collected', async () => {
    const dataDir = await makeFolder();
    const first = ipamIn(dataDir);
    await first.allocate('a', 'eth0');
    await first.settled();
    await writeFile(join(dataDir, 'net/10.1.0.3'), '');
    const ipam = ipamIn(dataDir);
    expect((await ipam.allocate('b', 'eth0')).address).toBe('10.1.0.4');
    await ipam.collect(new Set(['b']));
    expect(await leasesIn(dataDir)).toEqual(['10.1.0.4']);
    await ipam.settled();
  });

  test('a file that was empty when it was first read is read again before it is collected', async () => {
    const dataDir = await makeFolder();
    const ipam = ipamIn(dataDir);
    await ipam.allocate('a', 'eth0');
    await writeFile(join(dataDir, 'net/10.1.0.3'), '');
    const second = ipamIn(dataDir);
    expect((await second.allocate('b', 'eth0')).address).toBe('10.1.0.4');
    // the other process gets round to writing it
    await writeFile(join(dataDir, 'net/10.1.0.3'), 'late\r\neth0');
    await second.collect(new Set(['a', 'b', 'late']));
    expect(await leasesIn(dataDir)).toEqual(['10.1.0.2', '10.1.0.3', '10.1.0.4']);
    await Promise.all([ipam.settled(), second.settled()]);
  });

  describe('of two ranges', () => {
    const ranges = (...texts: string[]) => parseRanges(texts, 'subnet');
    const bookIn = (dataDir: string, ...texts: string[]) =>
      new LeaseBook({ dataDir, name: 'net', ranges: ranges(...texts) });

    test('a container has an address of each, kept in host-local’s files', async () => {
      const dataDir = await makeFolder();
      const book = bookIn(dataDir, 'fd00:1::/64', '10.1.0.0/28');
      expect(await book.allocate('abc', 'eth0')).toEqual({ addresses: ['fd00:1::2', '10.1.0.2'], fresh: true });
      await book.settled();
      expect((await readdir(join(dataDir, 'net'))).sort()).toEqual([
        ...['10.1.0.2', 'fd00:1::2', 'last_reserved_ip.0', 'last_reserved_ip.1'],
      ]);
      expect(await readFile(join(dataDir, 'net/last_reserved_ip.0'), 'utf8')).toBe('fd00:1::2');
      const restarted = bookIn(dataDir, 'fd00:1::/64', '10.1.0.0/28');
      expect(await restarted.holds('abc', 'eth0')).toBe(true);
      expect(await restarted.allocate('abc', 'eth0')).toEqual({ addresses: ['fd00:1::2', '10.1.0.2'], fresh: false });
      await restarted.release('abc', 'eth0');
      expect(await leasesIn(dataDir)).toEqual([]);
    });

    test('what a crash between the two left is made whole', async () => {
      const dataDir = await makeFolder();
      await ipamIn(dataDir).allocate('abc', 'eth0');
      const book = bookIn(dataDir, '10.1.0.0/28', 'fd00:1::/64');
      expect(await book.holds('abc', 'eth0')).toBe(false);
      expect(await book.allocate('abc', 'eth0')).toEqual({ addresses: ['10.1.0.2', 'fd00:1::2'], fresh: true });
      await book.collect(new Set());
      expect(await leasesIn(dataDir)).toEqual([]);
      await book.settled();
    });

    test('where one is full nothing is taken of the other', async () => {
      const dataDir = await makeFolder();
      const book = bookIn(dataDir, '10.1.0.0/28', 'fd00:1::/126');
      for (const id of ['a', 'b']) await book.allocate(id, 'eth0');
      await expect(book.allocate('c', 'eth0')).rejects.toThrow(
        `No address of fd00:1::/126 is free in "${dataDir}/net": all 2 from fd00:1::2 to fd00:1::3 are taken`,
      );
      expect(await leasesIn(dataDir)).toEqual(['10.1.0.2', '10.1.0.3', 'fd00:1::2', 'fd00:1::3']);
      await book.settled();
    });
  });

  test('an unknown id is released with success', async () => {
    await ipamIn(await makeFolder()).release('nobody', 'eth0');
  });

  /** Two allocators over one folder stand for two processes. */
  const step = fc.record({
    who: fc.constantFrom(0, 1),
    kind: fc.constantFrom('allocate', 'allocate', 'allocate', 'release', 'collect'),
    id: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'),
  });

  test('whatever is asked at once by whomever, no address has two holders and the files agree', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 6 }), async rounds => {
        const dataDir = await makeFolder();
        const processes = [ipamIn(dataDir, '10.1.0.0/28'), ipamIn(dataDir, '10.1.0.0/28')];
        const idOf = ({ who, id }: { who: number; id: string }) => `${who}${id}`; // a runtime never calls for one container twice at once
        const held = new Map<string, string>();
        for (const round of rounds) {
          const byId = new Map(round.map(action => [idOf(action), action]));
          await Promise.all(
            [...byId].map(async ([id, { who, kind }]) => {
              if (kind === 'collect') return;
              if (kind === 'release') {
                await processes[who]!.release(id, 'eth0');
                held.delete(id);
                return;
              }
              const { address } = await processes[who]!.allocate(id, 'eth0').catch(error => {
                expect(error).toMatchObject({ code: 11 });
                return { address: undefined };
              });
              if (address === undefined) return;
              expect(held.get(id) ?? address).toBe(address);
              held.set(id, address);
            }),
          );
          expect(new Set(held.values()).size).toBe(held.size);
          if (round.some(({ kind }) => kind === 'collect')) await processes[0]!.collect(new Set(held.keys()));
          expect(await leasesIn(dataDir)).toEqual([...held.values()].sort());
        }
        await Promise.all(processes.map(ipam => ipam.settled()));
      }),
      { numRuns: 60 },
    );
  }, 30_000);
});
