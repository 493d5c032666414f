/** Endpoints and EndpointSlices. Pure; Kubernetes' words and paths. */
import { isIPv4, isIPv6 } from 'node:net';
import type { Endpoints } from '../../kube/api/core-v1.js';
import type { EndpointSlice } from '../../kube/api/discovery-v1.js';
import { labelProblems, subdomainProblems } from '../../kube/names.js';
import { duplicate, type FieldError, invalid, notSupported, required } from '../errors.js';
import { choice, isAddress } from '../pod/validate.js';
import { portNumber } from '../pod/validate-container.js';

const notAnAddress = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
const protocols = ['SCTP', 'TCP', 'UDP'];

export function validateEndpoints({ subsets = [] }: Endpoints): FieldError[] {
  return subsets.flatMap(({ addresses = [], notReadyAddresses = [], ports = [] }, i) => {
    const path = `subsets[${i}]`;
    const each = (field: string, list: typeof addresses): FieldError[] =>
      list.flatMap(({ ip, hostname }, j) => [
        ...(isAddress(ip ?? '') ? [] : [invalid(`${path}.${field}[${j}].ip`, ip, notAnAddress)]),
        ...(hostname
          ? labelProblems(hostname).map(why => invalid(`${path}.${field}[${j}].hostname`, hostname, why))
          : []),
      ]);
    return [
      ...(addresses.length + notReadyAddresses.length === 0
        ? [required(path, 'must specify `addresses` or `notReadyAddresses`')]
        : []),
      ...each('addresses', addresses),
      ...each('notReadyAddresses', notReadyAddresses),
      ...ports.flatMap(({ name, port, protocol }, j) => [
        ...(ports.length > 1 && !name ? [required(`${path}.ports[${j}].name`)] : []),
        ...(name ? labelProblems(name).map(why => invalid(`${path}.ports[${j}].name`, name, why)) : []),
        ...portNumber(`${path}.ports[${j}].port`, port),
        ...choice(`${path}.ports[${j}].protocol`, protocol, protocols),
      ]),
    ];
  });
}

const addressTypes = ['FQDN', 'IPv4', 'IPv6'];
const maxAddresses = 100;

export function validateSlice({ addressType, endpoints = [], ports = [] }: EndpointSlice): FieldError[] {
  const names = ports.map(({ name = '' }) => name);
  return [
    ...(addressType
      ? addressTypes.includes(addressType)
        ? []
        : [notSupported('addressType', addressType, addressTypes)]
      : [required('addressType')]),
    ...endpoints.flatMap(({ addresses = [] }, i) => [
      ...(addresses.length === 0 ? [required(`endpoints[${i}].addresses`, 'must contain at least 1 address')] : []),
      ...(addresses.length > maxAddresses
        ? [invalid(`endpoints[${i}].addresses`, addresses.length, `must have at most ${maxAddresses} items`)]
        : []),
      ...addresses.flatMap((address, j) => addressErrors(addressType, address, `endpoints[${i}].addresses[${j}]`)),
    ]),
    ...ports.flatMap(({ name, protocol, port }, i) => [
      ...(names.indexOf(name ?? '') < i ? [duplicate('ports', name ?? '')] : []),
      ...(name ? labelProblems(name).map(why => invalid(`ports[${i}].name`, name, why)) : []),
      ...choice(`ports[${i}].protocol`, protocol, protocols),
      ...(port !== undefined ? portNumber(`ports[${i}].port`, port) : []),
    ]),
  ];
}

function addressErrors(type: string, address: string, path: string): FieldError[] {
  switch (type) {
    case 'IPv4':
      return isIPv4(address) ? [] : [invalid(path, address, 'must be a valid IPv4 address')];
    case 'IPv6':
      return isIPv6(address) ? [] : [invalid(path, address, 'must be a valid IPv6 address')];
    default:
      return subdomainProblems(address).map(why => invalid(path, address, why));
  }
}
