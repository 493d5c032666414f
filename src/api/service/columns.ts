/** How `kubectl get services` shows addresses and ports (printService of Kubernetes). */
import type { Service } from '../../kube/api/core-v1.js';

export const clusterAddress = ({ spec }: Service): string => spec?.clusterIPs?.[0] || spec?.clusterIP || '<none>';

export function externalAddress({ spec, status }: Service): string {
  const own = spec?.externalIPs ?? [];
  switch (spec?.type) {
    case 'ExternalName':
      return spec.externalName ?? '';
    case 'LoadBalancer': {
      const given = (status?.loadBalancer?.ingress ?? [])
        .map(({ ip, hostname }) => ip || hostname || '')
        .filter(Boolean);
      return [...new Set([...given, ...own])].join(',') || '<pending>';
    }
    default:
      return own.join(',') || '<none>';
  }
}

/** `80/TCP,443:30443/TCP`. */
export function portsText({ spec }: Service): string {
  const texts = (spec?.ports ?? []).map(({ port, nodePort, protocol }) =>
    nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
  );
  return texts.join(',') || '<none>';
}
