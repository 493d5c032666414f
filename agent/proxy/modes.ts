/** How a node may serve Services. Without any import, so that reading flags loads no backend. */
export const proxyModes = ['auto', 'nftables', 'ipvs', 'iptables', 'userspace', 'none'] as const;
export type ProxyMode = (typeof proxyModes)[number];
