/** Flags about the network of pods: what they mean together, and what is refused in which words. */
import { describe, expect, test } from 'vitest';
import { networkSettings } from '../../src/cli/network-settings.js';

const services = ['10.96.0.0/12'];

describe('what flags mean', () => {
  test('IPv4 only, unless somebody says otherwise', () => {
    expect(networkSettings({}, services)).toEqual({
      podCIDRs: undefined,
      clusterCIDRs: ['10.244.0.0/16'],
      nodeMaskSizes: { 4: 24, 6: 64 },
      overlay: 'vxlan',
      nodeIPs: undefined,
      bindAddress: '127.0.0.1',
    });
  });

  test('both families, the first one is the primary', () => {
    const both = networkSettings(
      {
        clusterCidr: 'fd00:10:244:0::/56,10.244.0.0/16',
        podCidr: 'fd00:10:244:3::/64,10.244.3.0/24',
        nodeCidrMaskSizeIpv6: '60',
        nodeIp: '192.0.2.1,2001:db8::1',
      },
      [...services, 'fd00:10:96::/112'],
    );
    expect(both).toMatchObject({
      clusterCIDRs: ['fd00:10:244::/56', '10.244.0.0/16'],
      podCIDRs: ['fd00:10:244:3::/64', '10.244.3.0/24'],
      nodeMaskSizes: { 4: 24, 6: 60 },
      nodeIPs: ['192.0.2.1', '2001:db8::1'],
    });
  });

  test('a range smaller than a node’s usual share is all of it', () => {
    const small = networkSettings({ clusterCidr: '10.244.0.0/26,fd00::/112' }, services);
    expect(small.nodeMaskSizes).toEqual({ 4: 26, 6: 112 });
  });
});

describe('what is refused', () => {
  const range =
    'must be an IPv4 range such as 10.244.0.0/16 (/8 to /29), an IPv6 range such as fd00:10:244::/56 (/16 to /125), or one of each with a comma between';
  test.each([
    [{ clusterCidr: 'x' }, `--cluster-cidr "x": ${range}`],
    [{ clusterCidr: '' }, `--cluster-cidr "": ${range}`],
    [{ clusterCidr: '10.244.0.0/16,' }, `--cluster-cidr "10.244.0.0/16,": ${range}`],
    [{ clusterCidr: '10.0.0.0/4' }, `--cluster-cidr "10.0.0.0/4": host bits are set; the range is 0.0.0.0/4`],
    [{ clusterCidr: 'fd00::/126' }, `--cluster-cidr "fd00::/126": ${range}`],
    [{ clusterCidr: '10.244.0.5/16' }, '--cluster-cidr "10.244.0.5/16": host bits are set; the range is 10.244.0.0/16'],
    [{ clusterCidr: 'fd00::1/64' }, '--cluster-cidr "fd00::1/64": host bits are set; the range is fd00::/64'],
    [
      { clusterCidr: '10.1.0.0/16,10.2.0.0/16' },
      '--cluster-cidr "10.1.0.0/16,10.2.0.0/16": must be one range, or two of different families',
    ],
    [
      { clusterCidr: '10.100.0.0/16' },
      '--cluster-cidr "10.100.0.0/16": 10.100.0.0/16 overlaps --service-cidr 10.96.0.0/12',
    ],
    [{ podCidr: '10.97.1.0/24' }, '--pod-cidr "10.97.1.0/24": 10.97.1.0/24 overlaps --service-cidr 10.96.0.0/12'],
    [
      { podCidr: 'fd00::/64' },
      '--pod-cidr "fd00::/64": must be of the same families as --cluster-cidr "10.244.0.0/16", in the same order',
    ],
    [
      { clusterCidr: 'fd00:10:244::/56' },
      '--service-cidr "10.96.0.0/12": must begin with an IPv6 range such as fd00:10:96::/112, because pods have IPv6 only (--cluster-cidr "fd00:10:244::/56")',
    ],
    [{ nodeCidrMaskSize: '8' }, '--node-cidr-mask-size "8": must be a whole number from 16 to 29'],
    [
      { clusterCidr: '10.244.0.0/16,fd00::/56', nodeCidrMaskSizeIpv6: 48 },
      '--node-cidr-mask-size-ipv6 "48": must be a whole number from 56 to 125',
    ],
    [{ overlay: 'geneve' }, '--overlay "geneve": must be one of vxlan, host-gw, none'],
    [
      { nodeIp: '192.0.2.1,192.0.2.2' },
      '--node-ip "192.0.2.1,192.0.2.2": must be one address, or two of different families',
    ],
    [
      { nodeIp: 'fe80::1%eth0' },
      '--node-ip "fe80::1%eth0": must be an IPv4 address such as 192.0.2.10, or an IPv6 address such as 2001:db8::10',
    ],
  ])('%o', (flags, words) => {
    expect(() => networkSettings(flags, services)).toThrow(words);
  });
});
