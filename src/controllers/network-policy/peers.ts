/**
 * Who the peers of NetworkPolicies are, kept up by changes: a pod that changes is looked at by each rule once, and only
 * policies whose peers have changed are told anew. Pure data in memory; nothing here knows nodes.
 */
import type { Service } from '../../kube/api/core-v1.js';
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../../kube/api/networking-v1.js';
import { deepEqual } from '../../kube/json.js';
import { selects } from '../../kube/label-selector.js';
import type { KubeObject } from '../../kube/meta.js';
import type { Pod } from '../../kube/pod.js';
import { type NamedPortOf, type PeerRule, type PolicyPeers, policyPeersKind } from '../../kube/policy-peers.js';

type Labels = Readonly<Record<string, string>>;

/** What the rules look at. */
interface Candidate {
  readonly namespace: string;
  readonly labels: Labels;
  readonly addresses: readonly string[];
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[];
}

interface Rule {
  readonly from: readonly NetworkPolicyPeer[];
  readonly ports: readonly NetworkPolicyPort[];
  /** Ports by name that may be those of anybody, as peers are not, or not only, said by labels (egress). */
  readonly anyonesNames: readonly NetworkPolicyPort[];
  /** Keys of the candidates that match. */
  readonly matched: Set<string>;
}

interface Known {
  readonly policy: NetworkPolicy;
  readonly ingress: readonly Rule[] | undefined;
  readonly egress: readonly Rule[] | undefined;
}

const keyOf = ({ kind, metadata }: KubeObject): string => `${kind}/${metadata.namespace ?? ''}/${metadata.name}`;

export class PeerBook {
  readonly #policies = new Map<string, Known>();
  readonly #candidates = new Map<string, Candidate>();
  readonly #namespaces = new Map<string, Labels>();
  /** Keys of policies to be told anew. */
  readonly #dirty = new Set<string>();

  get isDirty(): boolean {
    return this.#dirty.size > 0;
  }

  /** Other kinds are passed over. */
  put(object: KubeObject): void {
    if (object.kind === 'NetworkPolicy') this.#putPolicy(object as NetworkPolicy);
    else if (object.kind === 'Namespace') this.#putNamespace(object);
    else if (object.kind === 'Pod') this.#candidate(keyOf(object), podCandidate(object as Pod));
    else if (object.kind === 'Service') this.#candidate(keyOf(object), servedCandidate(object as Service));
  }

  remove(object: KubeObject): void {
    const key = keyOf(object);
    if (object.kind === 'NetworkPolicy') this.#policies.delete(key);
    else if (object.kind === 'Namespace') this.#namespaces.delete(object.metadata.name);
    else this.#candidate(key, undefined);
  }

  /** Those that changed since the last call, as nodes are to know them. */
  take(): PolicyPeers[] {
    const changed = [...this.#dirty].flatMap(key => this.#told(key) ?? []);
    this.#dirty.clear();
    return changed;
  }

  all(): PolicyPeers[] {
    return [...this.#policies.keys()].flatMap(key => this.#told(key) ?? []);
  }

  #putPolicy(policy: NetworkPolicy): void {
    const { spec = {} } = policy;
    const types = spec.policyTypes ?? ['Ingress'];
    const rule = (from: NetworkPolicyPeer[] = [], ports: NetworkPolicyPort[] = [], egress = false): Rule => {
      const open = egress && (from.length === 0 || from.some(({ ipBlock }) => ipBlock));
      const made: Rule = { from, ports, anyonesNames: open ? ports.filter(isNamed) : [], matched: new Set() };
      for (const [key, candidate] of this.#candidates)
        if (this.#matches(made, policy, candidate)) made.matched.add(key);
      return made;
    };
    const key = keyOf(policy);
    this.#policies.set(key, {
      policy,
      ingress: types.includes('Ingress') ? (spec.ingress ?? []).map(r => rule(r.from, r.ports)) : undefined,
      egress: types.includes('Egress') ? (spec.egress ?? []).map(r => rule(r.to, r.ports, true)) : undefined,
    });
    this.#dirty.add(key);
  }

  #putNamespace({ metadata: { name, labels = {} } }: KubeObject): void {
    if (deepEqual(this.#namespaces.get(name), labels)) return;
    this.#namespaces.set(name, labels);
    for (const [key, candidate] of this.#candidates)
      if (candidate.namespace === name) this.#look(key, candidate, candidate);
  }

  #candidate(key: string, candidate: Candidate | undefined): void {
    const before = this.#candidates.get(key);
    if (deepEqual(before, candidate)) return;
    if (candidate) this.#candidates.set(key, candidate);
    else this.#candidates.delete(key);
    this.#look(key, before, candidate);
  }

  /** Every rule's word on one candidate. */
  #look(key: string, before: Candidate | undefined, candidate: Candidate | undefined): void {
    for (const [policyKey, { policy, ingress = [], egress = [] }] of this.#policies) {
      for (const rule of [...ingress, ...egress]) {
        if ([before, candidate].some(one => one && namedPorts(one, rule.anyonesNames).length > 0))
          this.#dirty.add(policyKey);
        const matches = candidate !== undefined && this.#matches(rule, policy, candidate);
        // one that stays a peer may have other addresses now
        if (!matches && !rule.matched.has(key)) continue;
        if (matches) rule.matched.add(key);
        else rule.matched.delete(key);
        this.#dirty.add(policyKey);
      }
    }
  }

  #matches({ from }: Rule, policy: NetworkPolicy, candidate: Candidate): boolean {
    return from.some(peer => this.#isPeer(peer, policy.metadata.namespace ?? 'default', candidate));
  }

  #isPeer({ podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer, own: string, candidate: Candidate): boolean {
    if (ipBlock) return false;
    const inNamespace = namespaceSelector
      ? selects(namespaceSelector, this.#namespaces.get(candidate.namespace) ?? {})
      : candidate.namespace === own;
    return inNamespace && (!podSelector || selects(podSelector, candidate.labels));
  }

  #told(key: string): PolicyPeers | undefined {
    const known = this.#policies.get(key);
    if (!known) return undefined;
    const { policy, ingress, egress } = known;
    const { namespace, name, uid } = policy.metadata;
    return {
      apiVersion: 'keelson.dev/v1',
      kind: policyPeersKind,
      metadata: { namespace, name, uid } as PolicyPeers['metadata'],
      podSelector: policy.spec?.podSelector ?? {},
      ...(ingress && { ingress: ingress.map(rule => this.#toldRule(rule, false)) }),
      ...(egress && { egress: egress.map(rule => this.#toldRule(rule, true)) }),
    };
  }

  #toldRule({ from, ports, anyonesNames, matched }: Rule, egress: boolean): PeerRule {
    const pods = [...matched].flatMap(key => this.#candidates.get(key) ?? []);
    // whether an address is in the block too is asked by the node
    const anyone = anyonesNames.length > 0 ? [...this.#candidates.values()] : pods;
    const names = ports.filter(isNamed);
    return {
      ...(from.length > 0 && {
        peers: {
          addresses: [...new Set(pods.flatMap(({ addresses }) => addresses))].sort(),
          blocks: from.flatMap(({ ipBlock }) => ipBlock ?? []),
        },
      }),
      ...(ports.length > 0 && { ports }),
      ...(egress && names.length > 0 && { named: anyone.flatMap(pod => namedPorts(pod, names)) }),
    };
  }
}

const isNamed = ({ port }: NetworkPolicyPort): boolean => typeof port === 'string';

function namedPorts({ addresses, ports }: Candidate, wanted: readonly NetworkPolicyPort[]): NamedPortOf[] {
  const found = ports.filter(p => wanted.some(w => w.port === p.name && (w.protocol ?? 'TCP') === p.protocol));
  return addresses.flatMap(address => found.map(({ protocol, port }) => ({ address, protocol, port })));
}

/** One with a network of its own that still runs. */
function podCandidate({ metadata, spec, status }: Pod): Candidate | undefined {
  const addresses = (status?.podIPs ?? []).flatMap(({ ip }) => ip ?? []);
  const ended = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  if (spec.hostNetwork || ended || addresses.length === 0) return undefined;
  const ports = [...(spec.initContainers ?? []), ...spec.containers].flatMap(({ ports: own = [] }) =>
    own.flatMap(({ name, protocol = 'TCP', containerPort }) => (name ? { name, protocol, port: containerPort } : [])),
  );
  return { namespace: metadata.namespace ?? 'default', labels: metadata.labels ?? {}, addresses, ports };
}

const servedBy = 'keelson.dev/served-by';

/** The cluster's DNS has no pods here: rules that allow it name pods with the labels that its Service has. */
function servedCandidate({ metadata, spec }: Service): Candidate | undefined {
  const addresses = (spec?.clusterIPs ?? []).filter(address => address !== 'None');
  if (metadata.annotations?.[servedBy] !== 'agent' || addresses.length === 0) return undefined;
  const ports = (spec?.ports ?? []).flatMap(({ name, protocol = 'TCP', port }) =>
    name ? { name, protocol, port } : [],
  );
  return { namespace: metadata.namespace ?? 'default', labels: metadata.labels ?? {}, addresses, ports };
}
