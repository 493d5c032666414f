/** How a node may serve Services. Without any import, so that reading flags loads no backend. */
export const proxyModes = ['auto', 'nftables', 'ipvs', 'iptables', 'userspace', 'none'] as const;
export type ProxyMode = (typeof proxyModes)[number];

/** Of ip_vs, by the names of the kernel: how it chooses among endpoints. */
export const schedulers = [
  'rr',
  'wrr',
  'lc',
  'wlc',
  'sh',
  'dh',
  'sed',
  'nq',
  'mh',
  'lblc',
  'lblcr',
  'fo',
  'ovf',
] as const;
export type Scheduler = (typeof schedulers)[number];
