/** What NetworkPolicies mean, pod by pod, as the documentation of Kubernetes says it: slow, and written without a look at ours. */
import { BlockList } from 'node:net';
import fc from 'fast-check';
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../../src/kube/api/networking-v1.js';
import { selects } from '../../src/kube/label-selector.js';

export interface ModelPod {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** IPv4, IPv6 */
  readonly addresses: readonly string[];
  readonly ports: Readonly<Record<string, number>>;
}

export const namespaces: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  x: { team: 'one' },
  y: { team: 'two' },
};

const kindOf = (address: string): 'ipv4' | 'ipv6' => (address.includes(':') ? 'ipv6' : 'ipv4');

function isWithin(address: string, cidr: string): boolean {
  const [base = '', length] = cidr.split('/');
  if (kindOf(base) !== kindOf(address)) return false;
  const list = new BlockList();
  list.addSubnet(base, Number(length), kindOf(base));
  return list.check(address, kindOf(address));
}

function isPeer(
  { ipBlock, namespaceSelector, podSelector }: NetworkPolicyPeer,
  own: string,
  pod: ModelPod,
  address: string,
) {
  if (ipBlock) return isWithin(address, ipBlock.cidr) && !(ipBlock.except ?? []).some(cidr => isWithin(address, cidr));
  const inNamespace = namespaceSelector
    ? selects(namespaceSelector, namespaces[pod.namespace] ?? {})
    : pod.namespace === own;
  return inNamespace && (!podSelector || selects(podSelector, pod.labels));
}

/** Of TCP. */
function isPort({ protocol = 'TCP', port, endPort }: NetworkPolicyPort, server: ModelPod, number: number): boolean {
  if (protocol !== 'TCP') return false;
  if (port === undefined) return true;
  return typeof port === 'string' ? server.ports[port] === number : number >= port && number <= (endPort ?? port);
}

/** Whether a connection from the one to that port of the other comes through, with the addresses at place `family`. */
export function isAllowed(
  policies: readonly NetworkPolicy[],
  { from, to, port, family }: { from: ModelPod; to: ModelPod; port: number; family: 0 | 1 },
): boolean {
  if (from === to) return true;
  const passes = (type: 'Ingress' | 'Egress', self: ModelPod, other: ModelPod): boolean => {
    const mine = policies.filter(
      ({ metadata, spec }) =>
        metadata.namespace === self.namespace &&
        spec?.policyTypes?.includes(type) &&
        selects(spec.podSelector ?? {}, self.labels),
    );
    const rules = mine.flatMap(({ metadata, spec }) =>
      (type === 'Ingress'
        ? (spec?.ingress ?? []).map(rule => ({ peers: rule.from, ports: rule.ports }))
        : (spec?.egress ?? []).map(rule => ({ peers: rule.to, ports: rule.ports }))
      ).map(rule => ({ ...rule, namespace: metadata.namespace ?? '' })),
    );
    const address = other.addresses[family] ?? '';
    return (
      mine.length === 0 ||
      rules.some(
        ({ peers = [], ports = [], namespace }) =>
          (peers.length === 0 || peers.some(peer => isPeer(peer, namespace, other, address))) &&
          (ports.length === 0 || ports.some(one => isPort(one, to, port))),
      )
    );
  };
  return passes('Egress', from, to) && passes('Ingress', to, from);
}

/** A few policies at random, about these pods. */
export function policiesAbout(pods: readonly ModelPod[]): fc.Arbitrary<NetworkPolicy[]> {
  const name = fc.constantFrom('a', 'b', 'c');
  const selector = fc.oneof(
    fc.constant({}),
    name.map(pod => ({ matchLabels: { pod } })),
    fc
      .record({
        key: fc.constant('pod'),
        operator: fc.constantFrom('In', 'NotIn'),
        values: fc.uniqueArray(name, { minLength: 1, maxLength: 2 }),
      })
      .map(one => ({ matchExpressions: [one] })),
    fc
      .record({ key: fc.constantFrom('pod', 'none'), operator: fc.constantFrom('Exists', 'DoesNotExist') })
      .map(one => ({ matchExpressions: [one] })),
  );
  const namespaceSelector = fc.constantFrom(
    {},
    { matchLabels: { team: 'one' } },
    { matchExpressions: [{ key: 'team', operator: 'NotIn', values: ['one'] }] },
  );
  const block = fc.constantFrom(
    ...pods.flatMap(({ addresses: [v4 = '', v6 = ''] }) => [
      { cidr: `${v4}/32` },
      { cidr: `${v6}/128` },
      { cidr: '0.0.0.0/0', except: [`${v4}/32`] },
      { cidr: '::/0', except: [`${v6}/128`] },
      { cidr: '10.244.1.0/24' },
    ]),
  );
  const peer = fc.oneof(
    fc.record({ podSelector: selector }),
    fc.record({ namespaceSelector }),
    fc.record({ namespaceSelector, podSelector: selector }),
    fc.record({ ipBlock: block }),
  );
  const port = fc.constantFrom<NetworkPolicyPort[]>(
    { port: 8080 },
    { port: 'second', protocol: 'TCP' },
    { protocol: 'TCP' },
    { protocol: 'UDP' },
    { port: 8000, endPort: 8080, protocol: 'TCP' },
    { port: 'first' },
  );
  const few = <T>(one: fc.Arbitrary<T>) => fc.array(one, { maxLength: 2 });
  const spec = fc.record({
    podSelector: selector,
    policyTypes: fc.constantFrom<string[]>(['Ingress'], ['Egress'], ['Ingress', 'Egress']),
    ingress: few(fc.record({ from: few(peer), ports: few(port) })),
    egress: few(fc.record({ to: few(peer), ports: few(port) })),
  });
  const policy = fc.record({ namespace: fc.constantFrom('x', 'y'), spec });
  return fc.array(policy, { minLength: 1, maxLength: 4 }).map(all =>
    all.map(({ namespace, spec: { ingress, egress, ...rest } }, i) => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: `p${i}`, namespace },
      spec: {
        ...rest,
        ...(rest.policyTypes.includes('Ingress') && { ingress }),
        ...(rest.policyTypes.includes('Egress') && { egress }),
      },
    })),
  ) as unknown as fc.Arbitrary<NetworkPolicy[]>;
}
