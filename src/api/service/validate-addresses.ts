/** Cluster addresses and families of a Service: whether they make sense together, and what may change. Pure; Kubernetes' words. */
import type { ServiceSpec } from '../../kube/api/core-v1.js';
import { duplicate, type FieldError, forbiddenField, invalid, notSupported } from '../errors.js';
import { isAddress } from '../pod/validate.js';
import { headless } from './needs.js';
import { familyOf } from './pools.js';

export const notAnAddress = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
const families = ['IPv4', 'IPv6'];
const policies = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];

export function validateAddressFields(spec: ServiceSpec): FieldError[] {
  if (spec.type === 'ExternalName') return noneOfThem(spec);
  const { clusterIPs = [], ipFamilies = [], ipFamilyPolicy } = spec;
  return [
    ...validatePair(spec),
    ...ipFamilies.flatMap((family, i) => [
      ...(families.includes(family) ? [] : [notSupported(`spec.ipFamilies[${i}]`, family, families)]),
      ...(ipFamilies.indexOf(family) < i ? [duplicate(`spec.ipFamilies[${i}]`, family)] : []),
    ]),
    ...(ipFamilyPolicy && !policies.includes(ipFamilyPolicy)
      ? [notSupported('spec.ipFamilyPolicy', ipFamilyPolicy, policies)]
      : []),
    ...validateList(clusterIPs, ipFamilies),
  ];
}

function noneOfThem({ clusterIPs, ipFamilies, ipFamilyPolicy }: ServiceSpec): FieldError[] {
  const refused = (field: string): FieldError =>
    forbiddenField(`spec.${field}`, "may not be set when `type` is 'ExternalName'");
  return [
    ...(clusterIPs?.length ? [refused('clusterIPs')] : []),
    ...(ipFamilies?.length ? [refused('ipFamilies')] : []),
    ...(ipFamilyPolicy ? [refused('ipFamilyPolicy')] : []),
  ];
}

function validatePair({ clusterIP, clusterIPs = [] }: ServiceSpec): FieldError[] {
  if (clusterIPs.length === 0 || clusterIPs[0] === clusterIP) return [];
  const why = clusterIP ? 'first value must match `clusterIP`' : 'must be empty when `clusterIP` is not specified';
  return [invalid('spec.clusterIPs', clusterIPs, why)];
}

function validateList(clusterIPs: readonly string[], ipFamilies: readonly string[]): FieldError[] {
  const malformed = clusterIPs.flatMap((address, i) => {
    if (i > 0 || address !== headless)
      return isAddress(address) ? [] : [invalid(`spec.clusterIPs[${i}]`, address, notAnAddress)];
    return clusterIPs.length > 1
      ? [invalid('spec.clusterIPs', clusterIPs, "'None' must be the first and only value")]
      : [];
  });
  const many = clusterIPs.length > 2 ? [invalid('spec.clusterIPs', clusterIPs, 'may only hold up to 2 values')] : [];
  if (malformed.length > 0) return [...malformed, ...many];
  const isMixed = new Set(clusterIPs.map(familyOf)).size === clusterIPs.length;
  return [
    ...many,
    ...(isMixed ? [] : [invalid('spec.clusterIPs', clusterIPs, 'may specify no more than one IP for each IP family')]),
    ...(clusterIPs[0] === headless ? [] : ofTheirFamily(clusterIPs, ipFamilies)),
  ];
}

const ofTheirFamily = (clusterIPs: readonly string[], ipFamilies: readonly string[]): FieldError[] =>
  clusterIPs.flatMap((address, i) => {
    const family = ipFamilies[i];
    return family === undefined || !families.includes(family) || familyOf(address) === family
      ? []
      : [invalid(`spec.clusterIPs[${i}]`, address, `expected an ${family} value as indicated by \`ipFamilies[${i}]\``)];
  });

/** What was given out first stays; a second may be added, or given up with policy SingleStack. */
export function validateAddressUpdate(next: ServiceSpec, old: ServiceSpec): FieldError[] {
  if (next.type === 'ExternalName' || old.type === 'ExternalName') return [];
  const isHeadless = ({ clusterIPs }: ServiceSpec): boolean => clusterIPs?.[0] === headless;
  if (isHeadless(next) && isHeadless(old)) return [];
  return [
    ...sameStart('clusterIPs', next.clusterIPs ?? [], old.clusterIPs ?? []),
    ...released('clusterIP', next, next.clusterIPs ?? [], old.clusterIPs ?? []),
    ...(isHeadless(next) === isHeadless(old)
      ? [
          ...sameStart('ipFamilies', next.ipFamilies ?? [], old.ipFamilies ?? []),
          ...released('ipFamily', next, next.ipFamilies ?? [], old.ipFamilies ?? []),
        ]
      : []),
  ];
}

function sameStart(field: string, next: readonly string[], before: readonly string[]): FieldError[] {
  const compared = next.length === before.length ? before : before.slice(0, 1);
  return compared.flatMap((value, i) =>
    next[i] === value ? [] : [invalid(`spec.${field}[${i}]`, next, 'may not change once set')],
  );
}

function released(
  what: string,
  { ipFamilyPolicy }: ServiceSpec,
  next: readonly string[],
  before: readonly string[],
): FieldError[] {
  if (next.length !== 1 || before.length <= 1 || ipFamilyPolicy === 'SingleStack') return [];
  const why = `must be set to 'SingleStack' when releasing the secondary ${what}`;
  return [invalid('spec.ipFamilyPolicy', ipFamilyPolicy, why)];
}
