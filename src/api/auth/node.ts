/**
 * What a node may do in the API beside its link: see to itself and to the pods that are bound to it, and read what those
 * name. The node's name comes from its certificate (reliability rule B11). Pure over the view.
 */
import type { Pod } from '../../kube/pod.js';
import type { ObjectView } from '../view.js';
import { type Attributes, isPath, type ResourceAttributes } from './attributes.js';
import { claimsOf, configMapsOf, secretsOf } from './pod-references.js';

type NodeView = Pick<ObjectView, 'get' | 'list'>;

const leaseNamespace = 'kube-node-lease';
const paths = /^\/(api|apis|openapi|version)(\/|$)/;

export function nodeMay(node: string, attributes: Attributes, view: NodeView): boolean {
  if (isPath(attributes)) return attributes.verb === 'get' && paths.test(attributes.path);
  const rule = rules[`${attributes.group}/${attributes.resource}`];
  return rule?.(node, attributes, view) ?? false;
}

type Rule = (node: string, attributes: ResourceAttributes, view: NodeView) => boolean;

const reading = ['get', 'list', 'watch'];
const readAll: Rule = (_node, { verb }) => reading.includes(verb);
const create: Rule = (_node, { verb }) => verb === 'create';

const rules: Readonly<Record<string, Rule>> = {
  '/nodes': (node, { verb, name, fields }) =>
    verb === 'create' ||
    (name === node && ['get', 'update', 'patch'].includes(verb)) ||
    (selects(fields, 'metadata.name', node) && reading.includes(verb)),
  '/nodes/status': (node, { verb, name }) => name === node && ['get', 'update', 'patch'].includes(verb),
  '/pods': (node, { verb, namespace, name, fields }, view) =>
    verb === 'create' ||
    (name === undefined
      ? ['list', 'watch'].includes(verb) && selects(fields, 'spec.nodeName', node)
      : ['get', 'delete'].includes(verb) && isOwnPod(node, namespace, name, view)),
  '/pods/status': (node, { verb, namespace, name }, view) =>
    ['get', 'update', 'patch'].includes(verb) && isOwnPod(node, namespace, name, view),
  '/pods/eviction': (node, { verb, namespace, name }, view) =>
    verb === 'create' && isOwnPod(node, namespace, name, view),
  '/secrets': readNamed(secretsOf),
  '/configmaps': readNamed(configMapsOf),
  '/persistentvolumeclaims': readNamed(claimsOf),
  '/persistentvolumes': (node, { verb, name }, view) =>
    verb === 'get' && name !== undefined && ownPods(node, view).some(pod => usesVolume(pod, name, view)),
  '/serviceaccounts': (node, { verb, namespace, name }, view) =>
    verb === 'get' && isOwnAccount(node, namespace, name, view),
  '/serviceaccounts/token': (node, { verb, namespace, name }, view) =>
    verb === 'create' && isOwnAccount(node, namespace, name, view),
  '/services': readAll,
  '/events': (_node, { verb }) => ['create', 'patch', 'update'].includes(verb),
  'events.k8s.io/events': (_node, { verb }) => ['create', 'patch', 'update'].includes(verb),
  'discovery.k8s.io/endpointslices': readAll,
  'networking.k8s.io/networkpolicies': readAll,
  'storage.k8s.io/csidrivers': readAll,
  'node.k8s.io/runtimeclasses': readAll,
  'coordination.k8s.io/leases': (node, { verb, namespace, name }) =>
    namespace === leaseNamespace &&
    (verb === 'create' || (name === node && ['get', 'update', 'patch', 'delete'].includes(verb))),
  'certificates.k8s.io/certificatesigningrequests': (_node, { verb }) => [...reading, 'create'].includes(verb),
  'authentication.k8s.io/tokenreviews': create,
  'authentication.k8s.io/selfsubjectreviews': create,
  'authorization.k8s.io/subjectaccessreviews': create,
  'authorization.k8s.io/localsubjectaccessreviews': create,
  'authorization.k8s.io/selfsubjectaccessreviews': create,
  'authorization.k8s.io/selfsubjectrulesreviews': create,
};

const selects = (fields: ResourceAttributes['fields'], path: string, value: string): boolean =>
  fields?.some(field => field.path === path && !field.negated && field.value === value) ?? false;

/** One by one, and only what a pod of this node names; never lists, which would show the others' too. */
function readNamed(namesOf: (pod: Pod) => ReadonlySet<string>): Rule {
  return (node, { verb, namespace, name, fields }, view) => {
    if (name === undefined || namespace === undefined) return false;
    const one = verb === 'get' || (reading.includes(verb) && selects(fields, 'metadata.name', name));
    return one && ownPods(node, view, namespace).some(pod => namesOf(pod).has(name));
  };
}

function ownPods(node: string, view: NodeView, namespace?: string): Pod[] {
  return (view.list('Pod', namespace) as unknown as Pod[]).filter(pod => pod.spec.nodeName === node);
}

function isOwnPod(node: string, namespace: string | undefined, name: string | undefined, view: NodeView): boolean {
  if (name === undefined) return false;
  return (view.get('Pod', namespace, name) as Pod | undefined)?.spec.nodeName === node;
}

function isOwnAccount(node: string, namespace: string | undefined, name: string | undefined, view: NodeView): boolean {
  if (name === undefined || namespace === undefined) return false;
  return ownPods(node, view, namespace).some(pod => (pod.spec.serviceAccountName || 'default') === name);
}

function usesVolume(pod: Pod, volume: string, view: NodeView): boolean {
  return [...claimsOf(pod)].some(claim => {
    const found = view.get('PersistentVolumeClaim', pod.metadata.namespace, claim);
    return (found?.spec as { volumeName?: string } | undefined)?.volumeName === volume;
  });
}
