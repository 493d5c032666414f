import { expect, test } from 'vitest';
import { fromPod, hostLinkOf } from '../../agent/stats/traffic.js';

const network = {
  cniVersion: '1.1.0',
  interfaces: [{ name: 'cni0' }, { name: 'veth01234567' }, { name: 'eth0', sandbox: '/proc/1/ns/net' }],
  ips: [],
  routes: [],
};

test('the link of a pod on the node is the one outside its namespace that is no bridge', () => {
  expect(hostLinkOf({ network })).toBe('veth01234567');
  expect(hostLinkOf({ network: { ...network, interfaces: [] } })).toBeUndefined();
  expect(hostLinkOf({})).toBeUndefined();
  expect(hostLinkOf(undefined)).toBeUndefined();
});

test('what the node sends is what the pod receives', () => {
  expect(fromPod({ rxBytes: 1, txBytes: 2 })).toEqual({ receivedBytes: 2, sentBytes: 1 });
});
