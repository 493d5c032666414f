/** Whether a Service makes sense as it stands, and what of it may change. Pure; Kubernetes' words and paths. */
import type { ServiceSpec } from '../../kube/api/core-v1.js';
import { subdomainProblems } from '../../kube/names.js';
import { type FieldError, forbiddenField, invalid, notSupported, required } from '../errors.js';
import { choice, isAddress } from '../pod/validate.js';
import { validateLabels } from '../validate.js';
import { isExternallyReachable } from './defaults.js';
import { headless, needsHealthPort } from './needs.js';
import { notAnAddress, validateAddressFields } from './validate-addresses.js';
import { validatePorts } from './validate-ports.js';

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const dayInSeconds = 86_400;

export function validateService(spec: ServiceSpec): FieldError[] {
  return [
    ...validatePorts(spec),
    ...validateType(spec),
    ...validateLabels('spec.selector', spec.selector ?? {}),
    ...validateAffinity(spec),
    ...validateAddressFields(spec),
    ...validateExternal(spec),
    ...validateTraffic(spec),
    ...validateBalancer(spec),
  ];
}

function validateType(spec: ServiceSpec): FieldError[] {
  const { type, clusterIP, externalName } = spec;
  if (!type || !types.includes(type)) return [notSupported('spec.type', type, types)];
  if (type === 'ExternalName') {
    const name = externalName?.replace(/\.$/, '') ?? '';
    return name
      ? subdomainProblems(name).map(why => invalid('spec.externalName', name, why))
      : [required('spec.externalName')];
  }
  return type !== 'ClusterIP' && clusterIP === headless
    ? [invalid('spec.clusterIPs[0]', headless, `may not be set to 'None' for ${type} services`)]
    : [];
}

function validateAffinity({ sessionAffinity, sessionAffinityConfig }: ServiceSpec): FieldError[] {
  const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds;
  return [
    ...choice('spec.sessionAffinity', sessionAffinity, ['ClientIP', 'None']),
    ...(seconds !== undefined && (seconds <= 0 || seconds > dayInSeconds)
      ? [
          invalid(
            'spec.sessionAffinityConfig.clientIP.timeoutSeconds',
            seconds,
            `must be greater than 0 and less than ${dayInSeconds}`,
          ),
        ]
      : []),
  ];
}

const validateExternal = ({ externalIPs = [] }: ServiceSpec): FieldError[] =>
  externalIPs.flatMap((address, i) =>
    isAddress(address) ? [] : [invalid(`spec.externalIPs[${i}]`, address, notAnAddress)],
  );

function validateTraffic(spec: ServiceSpec): FieldError[] {
  const { externalTrafficPolicy: external } = spec;
  return [
    ...(external && !isExternallyReachable(spec)
      ? [invalid('spec.externalTrafficPolicy', external, 'may only be set for externally-accessible services')]
      : choice('spec.externalTrafficPolicy', external, ['Cluster', 'Local'])),
    ...choice('spec.internalTrafficPolicy', spec.internalTrafficPolicy, ['Cluster', 'Local']),
    ...(spec.healthCheckNodePort && !needsHealthPort(spec)
      ? [
          invalid(
            'spec.healthCheckNodePort',
            spec.healthCheckNodePort,
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
          ),
        ]
      : []),
    ...choice('spec.trafficDistribution', spec.trafficDistribution, [
      'PreferClose',
      'PreferSameNode',
      'PreferSameZone',
    ]),
  ];
}

function validateBalancer(spec: ServiceSpec): FieldError[] {
  if (spec.type === 'LoadBalancer')
    return (spec.loadBalancerSourceRanges ?? []).flatMap((range, i) =>
      isCidr(range)
        ? []
        : [
            invalid(
              `spec.loadBalancerSourceRanges[${i}]`,
              range,
              'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
            ),
          ],
    );
  const set = (['loadBalancerSourceRanges', 'allocateLoadBalancerNodePorts', 'loadBalancerClass'] as const).filter(
    field => spec[field] !== undefined,
  );
  return set.map(field => forbiddenField(`spec.${field}`, "may only be used when `type` is 'LoadBalancer'"));
}

export function isCidr(text: string): boolean {
  const [address = '', bits = '', ...more] = text.split('/');
  return (
    more.length === 0 &&
    isAddress(address) &&
    /^\d{1,3}$/.test(bits) &&
    Number(bits) <= (address.includes(':') ? 128 : 32)
  );
}
