/** What a pod's spec asks of its network. Pure. */
import type { Bandwidth, PortMapping } from '../../cni/contract.js';
import type { Pod } from '../../src/kube/pod.js';
import { quantityNanos } from '../../src/kube/quantity.js';

export interface PodNetworkNeeds {
  readonly portMappings?: readonly PortMapping[];
  readonly bandwidth?: Bandwidth;
}

/** Throws an Error naming the annotation that is wrong. */
export function networkNeeds(pod: Pod): PodNetworkNeeds {
  const portMappings = portMappingsOf(pod);
  const ingressBits = rateOf(pod, 'kubernetes.io/ingress-bandwidth');
  const egressBits = rateOf(pod, 'kubernetes.io/egress-bandwidth');
  return {
    ...(portMappings.length > 0 && { portMappings }),
    ...((ingressBits || egressBits) && {
      bandwidth: { ...(ingressBits && { ingressBits }), ...(egressBits && { egressBits }) },
    }),
  };
}

function portMappingsOf({ spec }: Pod): PortMapping[] {
  if (spec.hostNetwork) return [];
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  return [...sidecars, ...spec.containers]
    .flatMap(({ ports = [] }) => ports)
    .flatMap(({ hostPort, containerPort, protocol = 'TCP', hostIP }) =>
      hostPort
        ? [
            {
              hostPort,
              containerPort,
              protocol: protocol.toLowerCase() as PortMapping['protocol'],
              ...(hostIP && { hostIP }),
            },
          ]
        : [],
    );
}

const nanosPerUnit = 1_000_000_000n;
const minBits = 1000n;
const maxBits = 1_000_000_000_000_000n;

/** Bits per second. */
function rateOf({ metadata }: Pod, annotation: string): number | undefined {
  const text = metadata.annotations?.[annotation];
  if (text === undefined) return undefined;
  const bits = quantityOf(text, annotation) / nanosPerUnit;
  if (bits < minBits) throw new Error(`annotation ${annotation} "${text}": resource is unreasonably small (< 1kbit)`);
  if (bits > maxBits) throw new Error(`annotation ${annotation} "${text}": resource is unreasonably large (> 1Pbit)`);
  return Number(bits);
}

function quantityOf(text: string, annotation: string): bigint {
  try {
    return quantityNanos(text);
  } catch (error) {
    throw new Error(`annotation ${annotation} "${text}": ${error instanceof Error ? error.message : String(error)}`);
  }
}
