/**
 * API versions that manifests in the wild still carry, and what serves them today. Kubernetes stopped serving them between
 * 1.16 and 1.32; discovery lists none of them, so kubectl stops by itself ("no matches for kind …") before it asks. Whoever
 * asks for such a path gets a 404 that names the version to use.
 */
import { failure, type StatusError } from '../kube/status.js';
import { pathNotFound } from './errors.js';

const successors: Readonly<Record<string, string>> = {
  'extensions/v1beta1 deployments': 'apps/v1',
  'extensions/v1beta1 daemonsets': 'apps/v1',
  'extensions/v1beta1 replicasets': 'apps/v1',
  'extensions/v1beta1 ingresses': 'networking.k8s.io/v1',
  'extensions/v1beta1 networkpolicies': 'networking.k8s.io/v1',
  'extensions/v1beta1': 'apps/v1 or networking.k8s.io/v1',
  'apps/v1beta1': 'apps/v1',
  'apps/v1beta2': 'apps/v1',
  'autoscaling/v2beta1': 'autoscaling/v2',
  'autoscaling/v2beta2': 'autoscaling/v2',
  'batch/v1beta1': 'batch/v1',
  'batch/v2alpha1': 'batch/v1',
  'policy/v1beta1': 'policy/v1',
  'networking.k8s.io/v1beta1': 'networking.k8s.io/v1',
  'rbac.authorization.k8s.io/v1alpha1': 'rbac.authorization.k8s.io/v1',
  'rbac.authorization.k8s.io/v1beta1': 'rbac.authorization.k8s.io/v1',
  'storage.k8s.io/v1beta1': 'storage.k8s.io/v1',
  'scheduling.k8s.io/v1beta1': 'scheduling.k8s.io/v1',
  'coordination.k8s.io/v1beta1': 'coordination.k8s.io/v1',
  'node.k8s.io/v1beta1': 'node.k8s.io/v1',
  'discovery.k8s.io/v1beta1': 'discovery.k8s.io/v1',
  'events.k8s.io/v1beta1': 'events.k8s.io/v1',
  'certificates.k8s.io/v1beta1': 'certificates.k8s.io/v1',
  'apiextensions.k8s.io/v1beta1': 'apiextensions.k8s.io/v1',
  'admissionregistration.k8s.io/v1beta1': 'admissionregistration.k8s.io/v1',
  'authentication.k8s.io/v1beta1': 'authentication.k8s.io/v1',
  'authorization.k8s.io/v1beta1': 'authorization.k8s.io/v1',
};

/** Without a successor, and why. */
const removed: Readonly<Record<string, string>> = {
  'extensions/v1beta1 podsecuritypolicies': 'PodSecurityPolicy was removed from Kubernetes in 1.25',
  'policy/v1beta1 podsecuritypolicies': 'PodSecurityPolicy was removed from Kubernetes in 1.25',
};

/** The failure for a path that names no kind. @param plural absent: the version itself was asked for. */
export function unknownResource(group: string, version: string, plural?: string): StatusError {
  const base = `${group}/${version}`;
  const asked = plural ? `${base} ${plural}` : base;
  const gone = removed[asked];
  if (gone) return withHint(gone);
  const successor = successors[asked] ?? successors[base];
  if (!successor) return pathNotFound();
  return withHint(`${asked} is no longer served: use apiVersion: ${successor}`);
}

const withHint = (hint: string): StatusError =>
  failure(404, 'NotFound', `the server could not find the requested resource (${hint})`, {});
