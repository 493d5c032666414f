/** Ingress and IngressClass. Pure; Kubernetes' words and paths. */
import type {
  HTTPIngressPath,
  Ingress,
  IngressBackend,
  IngressClass,
  IngressRule,
} from '../../kube/api/networking-v1.js';
import { dns1035Problems, subdomainProblems } from '../../kube/names.js';
import { type FieldError, invalid, notSupported, required } from '../errors.js';
import { choice, isAddress } from '../pod/validate.js';
import { portNameProblems, portNumber } from '../pod/validate-container.js';

export function validateIngress({ spec = {} }: Ingress): FieldError[] {
  const { rules = [], tls = [], defaultBackend, ingressClassName } = spec;
  return [
    ...(rules.length === 0 && !defaultBackend
      ? [invalid('spec', rules, 'either `defaultBackend` or `rules` must be specified')]
      : []),
    ...(defaultBackend ? validateBackend(defaultBackend, 'spec.defaultBackend') : []),
    ...rules.flatMap((rule, i) => validateRule(rule, `spec.rules[${i}]`)),
    ...tls.flatMap(({ hosts = [] }, i) => hosts.flatMap((host, j) => hostErrors(host, `spec.tls[${i}].hosts[${j}]`))),
    ...(ingressClassName
      ? subdomainProblems(ingressClassName).map(why => invalid('spec.ingressClassName', ingressClassName, why))
      : []),
  ];
}

const wildcardText =
  "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

function hostErrors(host: string, path: string): FieldError[] {
  if (isAddress(host)) return [invalid(path, host, 'must be a DNS name, not an IP address')];
  if (!host.includes('*')) return subdomainProblems(host).map(why => invalid(path, host, why));
  return host.startsWith('*.') && subdomainProblems(host.slice(2)).length === 0
    ? []
    : [invalid(path, host, wildcardText)];
}

function validateRule({ host, http }: IngressRule, path: string): FieldError[] {
  return [
    ...(host ? hostErrors(host, `${path}.host`) : []),
    ...(http && !http.paths?.length ? [required(`${path}.http.paths`)] : []),
    ...(http?.paths ?? []).flatMap((item, i) => validatePath(item, `${path}.http.paths[${i}]`)),
  ];
}

const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix'];
const badSequences = ['//', '/./', '/../', '%2f', '%2F'];
const badEndings = ['/..', '/.'];

function validatePath({ path, pathType, backend }: HTTPIngressPath, at: string): FieldError[] {
  return [
    ...(pathType
      ? pathTypes.includes(pathType)
        ? pathErrors(path, pathType, `${at}.path`)
        : [notSupported(`${at}.pathType`, pathType, pathTypes)]
      : [required(`${at}.pathType`, 'pathType must be specified')]),
    ...validateBackend(backend ?? {}, `${at}.backend`),
  ];
}

function pathErrors(path: string | undefined, pathType: string, at: string): FieldError[] {
  if (pathType === 'ImplementationSpecific')
    return path && !path.startsWith('/') ? [invalid(at, path, 'must be an absolute path')] : [];
  if (!path?.startsWith('/')) return [invalid(at, path ?? '', 'must be an absolute path')];
  return [
    ...badSequences.filter(bad => path.includes(bad)).map(bad => invalid(at, path, `must not contain '${bad}'`)),
    ...badEndings.filter(bad => path.endsWith(bad)).map(bad => invalid(at, path, `cannot end with '${bad}'`)),
  ];
}

function validateBackend({ service, resource }: IngressBackend, path: string): FieldError[] {
  if (service && resource) return [invalid(path, '', 'cannot set both resource and service backends')];
  if (resource)
    return [
      ...(resource.kind ? [] : [required(`${path}.resource.kind`)]),
      ...(resource.name ? [] : [required(`${path}.resource.name`)]),
    ];
  if (!service) return [required(path, 'resource or service backend is required')];
  const { name = '', number } = service.port ?? {};
  return [
    ...(service.name
      ? dns1035Problems(service.name).map(why => invalid(`${path}.service.name`, service.name, why))
      : [required(`${path}.service.name`)]),
    ...(name && number
      ? [invalid(path, '', 'cannot set both port name & port number')]
      : name
        ? portNameProblems(name).map(why => invalid(`${path}.service.port.name`, name, why))
        : number
          ? portNumber(`${path}.service.port.number`, number)
          : [required(path, 'port name or number is required')]),
  ];
}

export function validateIngressClass({ spec = {} }: IngressClass): FieldError[] {
  const { controller = '', parameters } = spec;
  return [
    ...(controller ? [] : [required('spec.controller')]),
    ...(controller.length > 250 ? [invalid('spec.controller', controller, 'must be no more than 250 characters')] : []),
    ...(controller && !controller.includes('/')
      ? [invalid('spec.controller', controller, 'must be a domain-prefixed path (such as "acme.io/foo")')]
      : []),
    ...choice('spec.parameters.scope', parameters?.scope, ['Cluster', 'Namespace']),
    ...(parameters?.scope === 'Namespace' && !parameters.namespace
      ? [required('spec.parameters.namespace', "`parameters.scope` is set to 'Namespace'")]
      : []),
  ];
}
