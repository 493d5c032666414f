/** Ports of a Service. Pure; Kubernetes' words and paths. */
import type { ServicePort, ServiceSpec } from '../../kube/api/core-v1.js';
import { labelProblems } from '../../kube/names.js';
import { duplicate, type FieldError, forbiddenField, invalid, required } from '../errors.js';
import { choice } from '../pod/validate.js';
import { portNameProblems, portNumber } from '../pod/validate-container.js';
import { headless, mayHaveNodePorts } from './needs.js';

export function validatePorts(spec: ServiceSpec): FieldError[] {
  const { ports = [], type, clusterIP } = spec;
  if (ports.length === 0) return type === 'ExternalName' || clusterIP === headless ? [] : [required('spec.ports')];
  return [
    ...ports.flatMap((port, i) => validatePort(port, `spec.ports[${i}]`, ports.length > 1, mayHaveNodePorts(spec))),
    ...duplicates(ports),
  ];
}

function validatePort(port: ServicePort, path: string, needsName: boolean, mayHaveNode: boolean): FieldError[] {
  const { name, targetPort } = port;
  return [
    ...(needsName && !name ? [required(`${path}.name`)] : []),
    ...(name ? labelProblems(name).map(why => invalid(`${path}.name`, name, why)) : []),
    ...portNumber(`${path}.port`, port.port ?? 0),
    ...choice(`${path}.protocol`, port.protocol, ['SCTP', 'TCP', 'UDP']),
    ...(typeof targetPort === 'string'
      ? portNameProblems(targetPort).map(why => invalid(`${path}.targetPort`, targetPort, why))
      : targetPort !== undefined
        ? portNumber(`${path}.targetPort`, targetPort)
        : []),
    ...(port.nodePort && !mayHaveNode
      ? [forbiddenField(`${path}.nodePort`, "may not be used when `type` is 'ClusterIP'")]
      : []),
  ];
}

function duplicates(ports: readonly ServicePort[]): FieldError[] {
  const before = (i: number, same: (other: ServicePort) => boolean): boolean => ports.slice(0, i).some(same);
  return ports.flatMap(({ name, port, protocol, nodePort }, i) => [
    ...(name && before(i, other => other.name === name) ? [duplicate(`spec.ports[${i}].name`, name)] : []),
    ...(nodePort && before(i, other => other.nodePort === nodePort && other.protocol === protocol)
      ? [duplicate(`spec.ports[${i}].nodePort`, nodePort)]
      : []),
    ...(before(i, other => other.port === port && other.protocol === protocol)
      ? [duplicate(`spec.ports[${i}]`, { protocol, port })]
      : []),
  ]);
}
