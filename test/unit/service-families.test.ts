/** IP families of Services, as kube-apiserver gives them out: on clusters of one family, of both, and of both the other way round. */
import { afterEach, describe, expect, test } from 'vitest';
import { ApiClient } from '../../src/api/client.js';
import type { Engine } from '../../src/api/engine.js';
import { KindRegistry } from '../../src/api/kind-registry.js';
import { builtInKinds } from '../../src/api/kinds/index.js';
import { defaultPools } from '../../src/api/service/pools.js';
import { View } from '../../src/api/view.js';
import { type Cidr, parseCidr } from '../../src/base/cidr.js';
import type { Service, ServiceSpec } from '../../src/kube/api/core-v1.js';
import { StatusError } from '../../src/kube/status.js';
import { createMemoryStore } from '../../src/store/memory.js';

const four = '10.96.0.0/16';
const six = 'fd00:10:96::/112';
const ports = [{ port: 80 }];
const selector = { app: 'web' };

let view: View | undefined;
afterEach(() => view?.close());

async function cluster(...cidrs: string[]) {
  const store = createMemoryStore();
  const kinds = new KindRegistry(builtInKinds);
  view = new View(store, kinds.stored);
  const servicePools = { ...defaultPools, ranges: cidrs.map(text => parseCidr(text) as Cidr) };
  const engine: Engine = { store, view, kinds, now: Date.now, random: Math.random, servicePools };
  const client = new ApiClient(engine);
  await client.create('Namespace', { metadata: { name: 'default' } });
  const specOf = ({ object }: { object: object }) => (object as Service).spec as ServiceSpec;
  const at = (name: string) => ({ namespace: 'default', name });
  return {
    create: async (spec: object, name = 'web') =>
      specOf(await client.create('Service', { metadata: at(name), spec: { ports, selector, ...spec } })),
    update: async (spec: object, name = 'web') =>
      specOf(
        await client.update(
          'Service',
          at(name),
          old => ({ ...old, spec: { ...(old as unknown as Service).spec, ...spec } }) as typeof old,
        ),
      ),
    remove: (name = 'web') => client.delete('Service', at(name)),
  };
}

const refusal = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'accepted',
    error => {
      if (error instanceof StatusError) return error.message.replace(/^Service "\w+" is invalid: /, '');
      throw error;
    },
  );
const kindsOf = ({ clusterIPs = [] }: ServiceSpec) => clusterIPs.map(ip => (ip.includes(':') ? 'IPv6' : 'IPv4'));
const said = (spec: ServiceSpec) => [spec.ipFamilyPolicy, spec.ipFamilies, kindsOf(spec)];

describe('a cluster of one family', () => {
  test('gives it whatever is preferred, and refuses what needs two', async () => {
    const { create } = await cluster(four);
    expect(said(await create({}, 'a'))).toEqual(['SingleStack', ['IPv4'], ['IPv4']]);
    expect(said(await create({ ipFamilyPolicy: 'PreferDualStack' }, 'b'))).toEqual([
      'PreferDualStack',
      ['IPv4'],
      ['IPv4'],
    ]);
    expect(await refusal(create({ ipFamilyPolicy: 'RequireDualStack' }))).toBe(
      'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
    );
    expect(await refusal(create({ ipFamilies: ['IPv6'] }))).toBe(
      'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
    );
    expect(await refusal(create({ clusterIP: 'fd00::1' }))).toBe(
      'spec.clusterIPs[0]: Invalid value: ["fd00::1"]: IPv6 is not configured on this cluster',
    );
  });
  test('of IPv6 only', async () => {
    const { create } = await cluster(six);
    const spec = await create({});
    expect(said(spec)).toEqual(['SingleStack', ['IPv6'], ['IPv6']]);
    expect(spec.clusterIP).toMatch(/^fd00:10:96::[0-9a-f]{3,4}$/);
    expect(await refusal(create({ ipFamilies: ['IPv4'] }, 'b'))).toContain('not configured on this cluster');
  });
  test('lets headless Services without a selector have any', async () => {
    const { create } = await cluster(four);
    const headless = { clusterIP: 'None', selector: {} };
    expect((await create(headless, 'a')).ipFamilies).toEqual(['IPv4', 'IPv6']);
    expect((await create({ ...headless, ipFamilyPolicy: 'SingleStack' }, 'b')).ipFamilies).toEqual(['IPv4']);
    expect((await create({ ...headless, ipFamilies: ['IPv6'] }, 'c')).ipFamilies).toEqual(['IPv6', 'IPv4']);
    expect(await refusal(create({ clusterIP: 'None', ipFamilies: ['IPv6'] }, 'd'))).toContain('not configured');
  });
});

describe('a cluster of both', () => {
  test('gives what the policy says, in the order of the Service', async () => {
    const { create } = await cluster(four, six);
    const one = ['SingleStack', ['IPv4'], ['IPv4']];
    expect(said(await create({}, 'a'))).toEqual(one);
    expect(said(await create({ ipFamilies: ['IPv6'] }, 'b'))).toEqual(['SingleStack', ['IPv6'], ['IPv6']]);
    for (const ipFamilyPolicy of ['PreferDualStack', 'RequireDualStack']) {
      const both = ['IPv4', 'IPv6'];
      expect(said(await create({ ipFamilyPolicy }, `c${ipFamilyPolicy[0]?.toLowerCase()}`))).toEqual([
        ipFamilyPolicy,
        both,
        both,
      ]);
      const turned = await create({ ipFamilyPolicy, ipFamilies: ['IPv6'] }, `d${ipFamilyPolicy[0]?.toLowerCase()}`);
      expect(said(turned)).toEqual([ipFamilyPolicy, ['IPv6', 'IPv4'], ['IPv6', 'IPv4']]);
      expect(turned.clusterIP).toBe(turned.clusterIPs?.[0]);
    }
    const headless = await create({ clusterIP: 'None', ipFamilyPolicy: 'RequireDualStack' }, 'h');
    expect([headless.clusterIPs, headless.ipFamilies]).toEqual([['None'], ['IPv4', 'IPv6']]);
  });
  test('the other way round', async () => {
    const { create } = await cluster(six, four);
    expect(said(await create({}, 'a'))).toEqual(['SingleStack', ['IPv6'], ['IPv6']]);
    expect(said(await create({ ipFamilyPolicy: 'PreferDualStack' }, 'b'))).toEqual([
      'PreferDualStack',
      ['IPv6', 'IPv4'],
      ['IPv6', 'IPv4'],
    ]);
  });
  test('addresses that were asked for, of either family, once', async () => {
    const { create } = await cluster(four, six);
    const both = {
      ipFamilyPolicy: 'RequireDualStack',
      clusterIP: 'fd00:10:96::20',
      clusterIPs: ['fd00:10:96::20', '10.96.0.20'],
    };
    const spec = await create(both, 'a');
    expect([spec.clusterIPs, spec.ipFamilies]).toEqual([both.clusterIPs, ['IPv6', 'IPv4']]);
    expect(await refusal(create({ clusterIP: 'fd00:10:96:0::20' }, 'b'))).toContain('provided IP is already allocated');
    expect(await refusal(create({ clusterIP: 'fd00:10:97::20' }, 'b'))).toBe(
      'spec.clusterIPs: Invalid value: ["fd00:10:97::20"]: failed to allocate IP fd00:10:97::20: the provided IP (fd00:10:97::20) is not in the valid range. The range of valid IPs is fd00:10:96::/112',
    );
    const first = { clusterIP: '10.96.0.21', ipFamilyPolicy: 'PreferDualStack' };
    expect(kindsOf(await create(first, 'c'))).toEqual(['IPv4', 'IPv6']);
  });
  test.each([
    [
      { ipFamilies: ['IPv4', 'IPv6'] },
      "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
    ],
    [
      { ipFamilies: ['IPv4', 'IPv4'], ipFamilyPolicy: 'PreferDualStack' },
      'spec.ipFamilies[1]: Duplicate value: "IPv4"',
    ],
    [{ ipFamilies: ['IPv5'] }, 'spec.ipFamilies[0]: Unsupported value: "IPv5": supported values: "IPv4", "IPv6"'],
    [
      { ipFamilyPolicy: 'Both' },
      'spec.ipFamilyPolicy: Unsupported value: "Both": supported values: "PreferDualStack", "RequireDualStack", "SingleStack"',
    ],
    [
      { clusterIPs: ['10.96.0.30'] },
      'spec.clusterIPs: Invalid value: ["10.96.0.30"]: must be empty when `clusterIP` is not specified',
    ],
    [
      { clusterIP: '10.96.0.30', clusterIPs: ['10.96.0.30', '10.96.0.31'], ipFamilyPolicy: 'PreferDualStack' },
      'spec.clusterIPs: Invalid value: ["10.96.0.30","10.96.0.31"]: may specify no more than one IP for each IP family',
    ],
    [
      { clusterIP: '10.96.0.30', ipFamilies: ['IPv6'] },
      'spec.clusterIPs[0]: Invalid value: "10.96.0.30": expected an IPv6 value as indicated by `ipFamilies[0]`',
    ],
    [
      { type: 'ExternalName', externalName: 'x.example', ipFamilies: ['IPv4'] },
      "spec.ipFamilies: Forbidden: may not be set when `type` is 'ExternalName'",
    ],
  ])('refuses %j', async (spec, words) => {
    const { create } = await cluster(four, six);
    expect(await refusal(create(spec))).toBe(words);
  });
});

describe('changes', () => {
  test('to two families and back: the second address comes and is given back', async () => {
    const { create, update } = await cluster(four, six);
    const { clusterIP } = await create({});
    const up = await update({ ipFamilyPolicy: 'PreferDualStack' });
    expect([said(up), up.clusterIP]).toEqual([['PreferDualStack', ['IPv4', 'IPv6'], ['IPv4', 'IPv6']], clusterIP]);
    const second = up.clusterIPs?.[1] as string;
    expect(await refusal(create({ clusterIP: second }, 'other'))).toContain('already allocated');
    expect(await refusal(update({ clusterIPs: [clusterIP] }))).toBe(
      'spec.ipFamilyPolicy: Invalid value: "PreferDualStack": must be \'SingleStack\' to release the secondary cluster IP',
    );
    const down = await update({ ipFamilyPolicy: 'SingleStack' });
    expect([said(down), down.clusterIP]).toEqual([['SingleStack', ['IPv4'], ['IPv4']], clusterIP]);
    expect((await create({ clusterIP: second }, 'other')).clusterIP).toBe(second);
  });
  test('the first address and family stay', async () => {
    const { create, update } = await cluster(four, six);
    const { clusterIPs = [] } = await create({ ipFamilyPolicy: 'RequireDualStack' });
    expect(
      await refusal(
        update({ clusterIP: clusterIPs[1], clusterIPs: [...clusterIPs].reverse(), ipFamilies: ['IPv6', 'IPv4'] }),
      ),
    ).toContain('spec.clusterIPs[0]: Invalid value: ');
    expect(
      await refusal(
        update({
          clusterIP: clusterIPs[1],
          clusterIPs: [clusterIPs[1]],
          ipFamilies: ['IPv6'],
          ipFamilyPolicy: 'SingleStack',
        }),
      ),
    ).toContain('may not change once set');
    expect((await update({ selector: { other: 'x' } })).clusterIPs).toEqual(clusterIPs);
  });
  test('to ExternalName and back gives up both, and takes new ones', async () => {
    const { create, update } = await cluster(four, six);
    const before = await create({ ipFamilyPolicy: 'RequireDualStack' });
    const gone = await update({ type: 'ExternalName', externalName: 'example.org' });
    expect([gone.clusterIP, gone.clusterIPs, gone.ipFamilies, gone.ipFamilyPolicy]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    await create({ clusterIP: before.clusterIPs?.[1] }, 'other');
    const back = await update({ type: 'ClusterIP', externalName: undefined, ipFamilyPolicy: 'PreferDualStack' });
    expect(kindsOf(back)).toEqual(['IPv4', 'IPv6']);
  });
  test('a preferred Service does not change because the cluster has two families', async () => {
    const { create, update } = await cluster(four, six);
    await create({ ipFamilyPolicy: 'PreferDualStack' });
    const down = await update({ ipFamilyPolicy: 'SingleStack' });
    expect(kindsOf(down)).toEqual(['IPv4']);
    expect(kindsOf(await update({ selector: { a: 'b' } }))).toEqual(['IPv4']);
  });
});

test('a full range says so', async () => {
  const { create } = await cluster('10.96.0.0/28');
  // 14 addresses, of which the tenth is the DNS'
  for (let i = 0; i < 13; i++) await create({}, `s${i}`);
  expect(await refusal(create({}))).toBe('Internal error occurred: failed to allocate a serviceIP: range is full');
  expect((await create({ clusterIP: '10.96.0.10' }, 'dns')).clusterIP).toBe('10.96.0.10');
});
