/** What controller, agents and tools must agree on about the addresses of Services, without asking each other. Pure. */
import { type Cidr, formatIp, parseCidr } from './cidr.js';

/** Of `--service-cidr`. */
export const defaultServiceCidr = '10.96.0.0/12';

/** The two Services that every cluster has, by their place in the first range: as kubeadm gives them. */
const apiPlace = 1n;
const dnsPlace = 10n;

export interface ClusterAddresses {
  /** Of the Service default/kubernetes. */
  readonly api: string;
  /** Of kube-system/kube-dns. */
  readonly dns: string;
}

export const addressAt = ({ family, first }: Pick<Cidr, 'family' | 'first'>, place: bigint): string =>
  formatIp(family, first + place);

export const clusterAddressesOf = (range: Cidr): ClusterAddresses => ({
  api: addressAt(range, apiPlace),
  dns: addressAt(range, dnsPlace),
});

/** @param cidrs of `--service-cidr`, checked: the first one counts */
export const clusterAddresses = (cidrs: readonly string[]): ClusterAddresses =>
  clusterAddressesOf(parseCidr(cidrs[0] ?? defaultServiceCidr) as Cidr);
