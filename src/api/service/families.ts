/** IP families of Services: which ones a Service has, in which order, and whether this cluster has them. In place. */
import type { ServiceSpec } from '../../kube/api/core-v1.js';
import { deepEqual } from '../../kube/json.js';
import { type FieldError, invalid } from '../errors.js';
import { headless, needsAddress } from './needs.js';
import { type Family, familiesOf, familyOf, otherFamily, type ServicePools } from './pools.js';
import { validateAddressFields } from './validate-addresses.js';

/** The first kind of errors found ends it: others would only follow from them. */
export function assignFamilies(spec: ServiceSpec, old: ServiceSpec | undefined, pools: ServicePools): FieldError[] {
  if (!needsAddress(spec) || staysPreferred(spec, old)) return [];
  spec.ipFamilyPolicy ||= old?.ipFamilyPolicy || (isAnybodys(spec) ? 'RequireDualStack' : 'SingleStack');
  const malformed = validateAddressFields(spec);
  if (malformed.length > 0) return malformed;
  const errors = [...changeSize(spec, old), ...fitsPolicy(spec), ...inferFamilies(spec, pools)];
  if (errors.length > 0) return errors;
  const known = familiesOf(pools);
  const all: readonly Family[] = isAnybodys(spec) ? ['IPv4', 'IPv6'] : known;
  const missing = isAnybodys(spec) ? [] : notHere(spec, known);
  if (missing.length > 0) return missing;
  const [first = known[0] as Family, ...rest] = (spec.ipFamilies ?? []) as Family[];
  const wantsTwo = spec.ipFamilyPolicy !== 'SingleStack' && rest.length === 0 && all.length === 2;
  spec.ipFamilies = wantsTwo ? [first, otherFamily(first)] : [first, ...rest];
  return [];
}

/** Nothing is given out for it, so it may have endpoints of any family. */
const isAnybodys = ({ clusterIP, selector }: ServiceSpec): boolean =>
  clusterIP === headless && Object.keys(selector ?? {}).length === 0;

/** A cluster that got a second family, or lost it, is no reason for Services to change by themselves. */
function staysPreferred(spec: ServiceSpec, old: ServiceSpec | undefined): boolean {
  return (
    old !== undefined &&
    spec.type === old.type &&
    spec.ipFamilyPolicy === 'PreferDualStack' &&
    (old.ipFamilyPolicy ?? spec.ipFamilyPolicy) === 'PreferDualStack' &&
    deepEqual(spec.clusterIPs, old.clusterIPs) &&
    deepEqual(spec.ipFamilies, old.ipFamilies)
  );
}

/** Who says SingleStack and nothing else means to give up the second; who gives it up must say so. */
function changeSize(spec: ServiceSpec, old: ServiceSpec | undefined): FieldError[] {
  if (!old) return [];
  if (spec.ipFamilyPolicy === 'SingleStack') {
    if (deepEqual(spec.clusterIPs, old.clusterIPs)) spec.clusterIPs = spec.clusterIPs?.slice(0, 1) ?? [];
    if (deepEqual(spec.ipFamilies, old.ipFamilies)) spec.ipFamilies = spec.ipFamilies?.slice(0, 1) ?? [];
    return [];
  }
  const fewer = (next: readonly string[] = [], before: readonly string[] = []) =>
    next.length > 0 && next.length < before.length;
  const refused = (what: string): FieldError =>
    invalid('spec.ipFamilyPolicy', spec.ipFamilyPolicy, `must be 'SingleStack' to release the secondary ${what}`);
  return [
    ...(fewer(spec.clusterIPs, old.clusterIPs) ? [refused('cluster IP')] : []),
    ...(fewer(spec.ipFamilies, old.ipFamilies) ? [refused('IP family')] : []),
  ];
}

function fitsPolicy({ ipFamilyPolicy, clusterIPs, ipFamilies }: ServiceSpec): FieldError[] {
  if (ipFamilyPolicy !== 'SingleStack') return [];
  const refused = (what: string): FieldError =>
    invalid(
      'spec.ipFamilyPolicy',
      ipFamilyPolicy,
      `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`,
    );
  return [
    ...(clusterIPs?.length === 2 ? [refused('cluster IPs')] : []),
    ...(ipFamilies?.length === 2 ? [refused('IP families')] : []),
  ];
}

/** From the addresses that were asked for. */
function inferFamilies(spec: ServiceSpec, pools: ServicePools): FieldError[] {
  const { clusterIPs = [] } = spec;
  if (clusterIPs[0] === headless) return [];
  const given = spec.ipFamilies ?? [];
  const inferred = clusterIPs.slice(given.length).map(familyOf);
  const known = familiesOf(pools);
  const errors = inferred.flatMap((family, i) =>
    known.includes(family)
      ? []
      : [invalid(`spec.clusterIPs[${given.length + i}]`, clusterIPs, `${family} is not configured on this cluster`)],
  );
  if (errors.length === 0 && inferred.length > 0) spec.ipFamilies = [...given, ...inferred];
  return errors;
}

function notHere({ ipFamilyPolicy, ipFamilies = [] }: ServiceSpec, known: readonly Family[]): FieldError[] {
  return [
    ...(ipFamilyPolicy === 'RequireDualStack' && known.length < 2
      ? [invalid('spec.ipFamilyPolicy', ipFamilyPolicy, 'this cluster is not configured for dual-stack services')]
      : []),
    ...ipFamilies.flatMap((family, i) =>
      known.includes(family as Family)
        ? []
        : [invalid(`spec.ipFamilies[${i}]`, family, 'not configured on this cluster')],
    ),
  ];
}
