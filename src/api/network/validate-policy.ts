/** NetworkPolicy. Pure; Kubernetes' words and paths. */
import type { IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../../kube/api/networking-v1.js';
import { type FieldError, forbiddenField, invalid, notSupported, required } from '../errors.js';
import { validateLabelSelector } from '../field-checks.js';
import { choice } from '../pod/validate.js';
import { portNameProblems, portNumber } from '../pod/validate-container.js';
import { isCidr } from '../service/validate.js';

const directions = ['Egress', 'Ingress'];

export function validateNetworkPolicy({ spec = {} }: NetworkPolicy): FieldError[] {
  const { ingress = [], egress = [], policyTypes = [] } = spec;
  return [
    ...validateLabelSelector(spec.podSelector, 'spec.podSelector'),
    ...ingress.flatMap(({ ports, from }, i) => validateRule(ports, from, `spec.ingress[${i}]`, 'from')),
    ...egress.flatMap(({ ports, to }, i) => validateRule(ports, to, `spec.egress[${i}]`, 'to')),
    ...(policyTypes.length > directions.length
      ? [invalid('spec.policyTypes', policyTypes, 'may not specify more than two policyTypes')]
      : policyTypes.flatMap((type, i) =>
          directions.includes(type) ? [] : [notSupported(`spec.policyTypes[${i}]`, type, directions)],
        )),
  ];
}

function validateRule(
  ports: readonly NetworkPolicyPort[] = [],
  peers: readonly NetworkPolicyPeer[] = [],
  path: string,
  side: 'from' | 'to',
): FieldError[] {
  return [
    ...ports.flatMap((port, i) => validatePort(port, `${path}.ports[${i}]`)),
    ...peers.flatMap((peer, i) => validatePeer(peer, `${path}.${side}[${i}]`)),
  ];
}

function validatePort({ protocol, port, endPort }: NetworkPolicyPort, path: string): FieldError[] {
  const own =
    typeof port === 'number'
      ? portNumber(`${path}.port`, port)
      : port !== undefined
        ? portNameProblems(port).map(why => invalid(`${path}.port`, port, why))
        : [];
  return [...choice(`${path}.protocol`, protocol, ['SCTP', 'TCP', 'UDP']), ...own, ...endErrors(port, endPort, path)];
}

function endErrors(port: number | string | undefined, endPort: number | undefined, path: string): FieldError[] {
  if (endPort === undefined) return [];
  if (port === undefined) return [required(`${path}.port`, 'must be specified when `endPort` is specified')];
  if (typeof port === 'string')
    return [invalid(`${path}.endPort`, endPort, 'may not be specified when `port` is non-numeric')];
  return [
    ...(endPort < port ? [invalid(`${path}.endPort`, port, 'must be greater than or equal to `port`')] : []),
    ...portNumber(`${path}.endPort`, endPort),
  ];
}

function validatePeer({ podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer, path: string): FieldError[] {
  if (!podSelector && !namespaceSelector && !ipBlock) return [required(path, 'must specify a peer')];
  if (ipBlock && (podSelector || namespaceSelector))
    return [forbiddenField(path, 'may not specify both ipBlock and another peer')];
  return [
    ...validateLabelSelector(podSelector, `${path}.podSelector`),
    ...validateLabelSelector(namespaceSelector, `${path}.namespaceSelector`),
    ...(ipBlock ? validateBlock(ipBlock, `${path}.ipBlock`) : []),
  ];
}

const notCidr = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';

function validateBlock({ cidr, except = [] }: IPBlock, path: string): FieldError[] {
  if (!cidr) return [required(`${path}.cidr`)];
  if (!isCidr(cidr)) return [invalid(`${path}.cidr`, cidr, notCidr)];
  return except.flatMap((item, i) => {
    const here = `${path}.except[${i}]`;
    if (!isCidr(item)) return [invalid(here, item, notCidr)];
    return isStrictlyWithin(item, cidr) ? [] : [invalid(here, item, `must be a strict subset of \`cidr\``)];
  });
}

/** IPv4 only: of other families it is believed. */
function isStrictlyWithin(inner: string, outer: string): boolean {
  if (inner.includes(':') || outer.includes(':')) return true;
  const [innerNumber, innerBits] = parse(inner);
  const [outerNumber, outerBits] = parse(outer);
  const size = 2 ** (32 - outerBits);
  return innerBits > outerBits && Math.floor(innerNumber / size) === Math.floor(outerNumber / size);
}

function parse(cidr: string): [number, number] {
  const [address = '', bits] = cidr.split('/');
  return [address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0), Number(bits)];
}
