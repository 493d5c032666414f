/** Containers of a Pod: names, images, ports, environment, mounts, resources, probes. */
import { labelProblems } from '../../kube/names.js';
import type { Container, PodSpec, Probe, ProbeHandler, VolumeMount } from '../../kube/pod.js';
import { compareQuantities, quantityNanos, quantityProblem } from '../../kube/quantity.js';
import { duplicate, type FieldError, forbiddenField, invalid, missing, notSupported, required } from '../errors.js';
import { choice, notNegative, problem, validateId } from './validate.js';

export function validateContainers(spec: PodSpec, volumes: ReadonlySet<string>, path: string): FieldError[] {
  const seen = new Set<string>();
  const each = (list: readonly Container[], field: string): FieldError[] =>
    list.flatMap((container, i) => {
      const here = `${path}.${field}[${i}]`;
      const repeated = seen.has(container.name);
      seen.add(container.name);
      return [
        ...(container.name && repeated ? [duplicate(`${here}.name`, container.name)] : []),
        ...validateContainer(container, volumes, here, field === 'initContainers'),
      ];
    });
  return [
    ...(spec.containers.length === 0 ? [required(`${path}.containers`)] : []),
    ...each(spec.containers, 'containers'),
    ...each(spec.initContainers ?? [], 'initContainers'),
    ...hostPortConflicts(spec, path),
  ];
}

export function validateContainer(
  container: Container,
  volumes: ReadonlySet<string>,
  path: string,
  init: boolean,
): FieldError[] {
  const { name, image } = container;
  const sidecar = container.restartPolicy === 'Always';
  return [
    ...(name ? labelProblems(name).map(why => invalid(`${path}.name`, name, why)) : [required(`${path}.name`)]),
    ...(image
      ? image.trim() === image
        ? []
        : [invalid(`${path}.image`, image, 'must not have leading or trailing whitespace')]
      : [required(`${path}.image`)]),
    ...choice(`${path}.imagePullPolicy`, container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never']),
    ...choice(`${path}.terminationMessagePolicy`, container.terminationMessagePolicy, [
      'FallbackToLogsOnError',
      'File',
    ]),
    ...(container.restartPolicy !== undefined && !(init && sidecar) && !init
      ? [forbiddenField(`${path}.restartPolicy`, 'may not be set for non-init containers')]
      : []),
    ...(init && container.restartPolicy !== undefined && !sidecar
      ? [notSupported(`${path}.restartPolicy`, container.restartPolicy, ['Always'])]
      : []),
    ...validatePorts(container, path),
    ...validateEnv(container, path),
    ...validateMounts(container, volumes, path),
    ...validateResources(container, path),
    ...validateProbes(container, path, init && !sidecar),
    ...validateLifecycle(container, path),
    ...validateSecurity(container, path),
  ];
}

function validatePorts({ ports = [] }: Container, path: string): FieldError[] {
  const named = new Set<string>();
  return ports.flatMap((port, i) => {
    const here = `${path}.ports[${i}]`;
    const repeated = port.name !== undefined && named.has(port.name);
    if (port.name) named.add(port.name);
    return [
      ...(port.name ? portNameProblems(port.name).map(why => invalid(`${here}.name`, port.name, why)) : []),
      ...(repeated ? [duplicate(`${here}.name`, port.name)] : []),
      ...(port.containerPort
        ? portNumber(`${here}.containerPort`, port.containerPort)
        : [required(`${here}.containerPort`)]),
      ...(port.hostPort ? portNumber(`${here}.hostPort`, port.hostPort) : []),
      ...choice(`${here}.protocol`, port.protocol, ['SCTP', 'TCP', 'UDP']),
    ];
  });
}

/** IANA service names: at most 15 characters, at least one letter. */
export function portNameProblems(name: string): string[] {
  if (name.length > 15) return ['must be no more than 15 characters'];
  if (!/^[-a-z0-9]+$/.test(name)) return ['must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)'];
  if (!/[a-z]/.test(name)) return ['must contain at least one letter (a-z)'];
  if (name.includes('--')) return ['must not contain consecutive hyphens'];
  return name.startsWith('-') || name.endsWith('-') ? ['must not begin or end with a hyphen'] : [];
}

export const portNumber = (path: string, port: number): FieldError[] =>
  port >= 1 && port <= 65535 ? [] : [invalid(path, port, 'must be between 1 and 65535, inclusive')];

function hostPortConflicts(spec: PodSpec, path: string): FieldError[] {
  const taken = new Set<string>();
  return spec.containers.flatMap(({ ports = [] }, i) =>
    ports.flatMap((port, j) => {
      if (!port.hostPort) return [];
      const key = `${port.protocol}/${port.hostIP ?? ''}/${port.hostPort}`;
      if (taken.has(key)) return [duplicate(`${path}.containers[${i}].ports[${j}].hostPort`, key)];
      taken.add(key);
      return [];
    }),
  );
}

const envName = /^[^\x00-\x1f\x7f=]+$/;

function validateEnv({ env = [], envFrom = [] }: Container, path: string): FieldError[] {
  return [
    ...env.flatMap((item, i) => {
      const here = `${path}.env[${i}]`;
      const sources = Object.keys(item.valueFrom ?? {});
      return [
        ...(item.name
          ? envName.test(item.name)
            ? []
            : [
                invalid(
                  `${here}.name`,
                  item.name,
                  "a valid environment variable name must consist only of printable ASCII characters other than '='",
                ),
              ]
          : [required(`${here}.name`)]),
        ...(item.valueFrom && sources.length === 0
          ? [
              invalid(
                `${here}.valueFrom`,
                '',
                'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`',
              ),
            ]
          : []),
        ...(sources.length > 1
          ? [invalid(`${here}.valueFrom`, '', 'may not have more than one field specified at a time')]
          : []),
        ...(item.valueFrom && item.value
          ? [invalid(`${here}.valueFrom`, '', 'may not be specified when `value` is not empty')]
          : []),
        ...(['configMapKeyRef', 'secretKeyRef'] as const).flatMap(source => {
          const ref = item.valueFrom?.[source];
          return ref && !ref.key ? [required(`${here}.valueFrom.${source}.key`)] : [];
        }),
        ...(item.valueFrom?.fieldRef
          ? validateFieldPath(item.valueFrom.fieldRef.fieldPath, `${here}.valueFrom.fieldRef.fieldPath`)
          : []),
      ];
    }),
    ...envFrom.flatMap((item, i) => {
      const count = Number(item.configMapRef !== undefined) + Number(item.secretRef !== undefined);
      return count === 1
        ? []
        : [
            invalid(
              `${path}.envFrom[${i}]`,
              '',
              count === 0
                ? 'must specify one of: `configMapRef` or `secretRef`'
                : 'may not have more than one field specified at a time',
            ),
          ];
    }),
  ];
}

const fieldPaths = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];

function validateFieldPath(fieldPath: string | undefined, path: string): FieldError[] {
  if (!fieldPath) return [required(path)];
  const plain = fieldPath.replace(/\['[^']*'\]$/, '');
  if (
    fieldPaths.includes(plain) &&
    (plain === fieldPath ? !['metadata.annotations', 'metadata.labels'].includes(plain) : true)
  )
    return [];
  return [invalid(path, fieldPath, `error converting fieldPath: field label not supported: ${fieldPath}`)];
}

function validateMountKind(mount: VolumeMount, path: string, privileged: boolean): FieldError[] {
  const { mountPropagation: propagation, recursiveReadOnly: recursive, readOnly } = mount;
  const asked = recursive === 'IfPossible' || recursive === 'Enabled';
  return [
    ...choice(`${path}.mountPropagation`, propagation, ['Bidirectional', 'HostToContainer', 'None']),
    ...(propagation === 'Bidirectional' && !privileged
      ? [
          forbiddenField(
            `${path}.mountPropagation`,
            'Bidirectional mount propagation is available only to privileged containers',
          ),
        ]
      : []),
    ...choice(`${path}.recursiveReadOnly`, recursive, ['Disabled', 'Enabled', 'IfPossible']),
    ...(asked && !readOnly
      ? [forbiddenField(`${path}.recursiveReadOnly`, 'may only be specified when readOnly is true')]
      : []),
    ...(asked && propagation !== undefined && propagation !== 'None'
      ? [
          forbiddenField(
            `${path}.recursiveReadOnly`,
            'may only be specified when mountPropagation is None or not specified',
          ),
        ]
      : []),
  ];
}

function validateMounts(
  { volumeMounts = [], securityContext }: Container,
  volumes: ReadonlySet<string>,
  path: string,
): FieldError[] {
  const paths = new Set<string>();
  return volumeMounts.flatMap((mount, i) => {
    const here = `${path}.volumeMounts[${i}]`;
    const repeated = paths.has(mount.mountPath);
    paths.add(mount.mountPath);
    return [
      ...(mount.name
        ? volumes.has(mount.name)
          ? []
          : [missing(`${here}.name`, mount.name)]
        : [required(`${here}.name`)]),
      ...(mount.mountPath ? [] : [required(`${here}.mountPath`)]),
      ...validateMountKind(mount, here, securityContext?.privileged ?? false),
      ...(mount.mountPath && repeated ? [invalid(`${here}.mountPath`, mount.mountPath, 'must be unique')] : []),
      ...(mount.subPath?.startsWith('/') ? [invalid(`${here}.subPath`, mount.subPath, 'must be a relative path')] : []),
      ...(mount.subPath?.split('/').includes('..')
        ? [invalid(`${here}.subPath`, mount.subPath, "must not contain '..'")]
        : []),
      ...(mount.subPath && mount.subPathExpr
        ? [invalid(`${here}.subPathExpr`, mount.subPathExpr, 'subPathExpr and subPath are mutually exclusive')]
        : []),
      ...(mount.subPathExpr?.startsWith('/')
        ? [invalid(`${here}.subPathExpr`, mount.subPathExpr, 'must be a relative path')]
        : []),
      ...choice(`${here}.mountPropagation`, mount.mountPropagation, ['Bidirectional', 'HostToContainer', 'None']),
    ];
  });
}

function validateResources({ resources = {} }: Container, path: string): FieldError[] {
  const { limits = {}, requests = {} } = resources;
  const amounts = (field: string, list: Readonly<Record<string, string>>): FieldError[] =>
    Object.entries(list).flatMap(([name, value]) => {
      const here = `${path}.resources.${field}[${name}]`;
      const wrong = quantityProblem(value);
      if (wrong) return problem(here, value, wrong);
      return [
        ...(quantityNanos(value) < 0n ? [invalid(here, value, 'must be greater than or equal to 0')] : []),
        ...resourceName(name, `${path}.resources.${field}[${name}]`),
        ...(name.includes('/') && quantityNanos(value) % 1_000_000_000n !== 0n
          ? [invalid(here, value, 'must be an integer')]
          : []),
      ];
    });
  const errors = [...amounts('limits', limits), ...amounts('requests', requests)];
  if (errors.length > 0) return errors;
  const needsMore = needsCpuOrMemory(limits, requests);
  if (needsMore) return [forbiddenField(`${path}.resources`, needsMore)];
  return Object.entries(requests).flatMap(([name, value]) => {
    const limit = limits[name];
    if (isWholeOnly(name) && limit === undefined)
      return [required(`${path}.resources.limits`, 'Limit must be set for non overcommitable resources')];
    if (isWholeOnly(name) && limit !== undefined && compareQuantities(value, limit) !== 0)
      return [invalid(`${path}.resources.requests`, value, `must be equal to ${name} limit of ${limit}`)];
    if (limit === undefined || compareQuantities(value, limit) <= 0) return [];
    return [invalid(`${path}.resources.requests`, value, `must be less than or equal to ${name} limit of ${limit}`)];
  });
}

/** Devices and huge pages: a node cannot promise more of them than it has. */
const isWholeOnly = (name: string): boolean => name.includes('/') || name.startsWith('hugepages-');

function needsCpuOrMemory(...lists: Readonly<Record<string, string>>[]): string | undefined {
  const names = lists.flatMap(list => Object.keys(list));
  const huge = names.some(name => name.startsWith('hugepages-'));
  return huge && !names.includes('cpu') && !names.includes('memory') ? 'HugePages require cpu or memory' : undefined;
}

function resourceName(name: string, path: string): FieldError[] {
  const standard = ['cpu', 'memory', 'ephemeral-storage'].includes(name) || name.startsWith('hugepages-');
  return standard || name.includes('/') ? [] : [invalid(path, name, 'must be a standard resource for containers')];
}

function validateProbes(container: Container, path: string, plainInit: boolean): FieldError[] {
  return (['livenessProbe', 'readinessProbe', 'startupProbe'] as const).flatMap(field => {
    const probe = container[field];
    if (!probe) return [];
    if (plainInit)
      return [forbiddenField(`${path}.${field}`, 'may not be set for init containers without restartPolicy=Always')];
    return validateProbe(probe, `${path}.${field}`, field);
  });
}

function validateProbe(probe: Probe, path: string, field: string): FieldError[] {
  const handlers = (['exec', 'httpGet', 'tcpSocket', 'grpc'] as const).filter(key => probe[key] !== undefined);
  return [
    ...(handlers.length === 0 ? [required(path, 'must specify a handler type')] : []),
    ...handlers.slice(1).map(key => forbiddenField(`${path}.${key}`, 'may not specify more than 1 handler type')),
    ...validateHandler(probe, path),
    ...(
      ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'] as const
    ).flatMap(key => notNegative(`${path}.${key}`, probe[key])),
    ...(field !== 'readinessProbe' && probe.successThreshold !== undefined && probe.successThreshold !== 1
      ? [invalid(`${path}.successThreshold`, probe.successThreshold, 'must be 1')]
      : []),
  ];
}

function validateLifecycle({ lifecycle }: Container, path: string): FieldError[] {
  return (['postStart', 'preStop'] as const).flatMap(hook =>
    lifecycle?.[hook] && Object.keys(lifecycle[hook]).length === 0
      ? [required(`${path}.lifecycle.${hook}`, 'must specify a handler type')]
      : [],
  );
}

function validateHandler(handler: ProbeHandler, path: string): FieldError[] {
  const port = handler.httpGet?.port ?? handler.tcpSocket?.port;
  const field = handler.httpGet ? 'httpGet' : 'tcpSocket';
  return [
    ...(handler.exec && !handler.exec.command?.length ? [required(`${path}.exec.command`)] : []),
    ...(typeof port === 'number' ? portNumber(`${path}.${field}.port`, port) : []),
    ...(typeof port === 'string' ? portNameProblems(port).map(why => invalid(`${path}.${field}.port`, port, why)) : []),
    ...(handler.grpc ? portNumber(`${path}.grpc.port`, handler.grpc.port) : []),
  ];
}

function validateSecurity({ securityContext }: Container, path: string): FieldError[] {
  if (!securityContext) return [];
  const { runAsUser, runAsGroup, privileged, allowPrivilegeEscalation, capabilities, procMount } = securityContext;
  return [
    ...validateId(`${path}.securityContext.runAsUser`, runAsUser),
    ...validateId(`${path}.securityContext.runAsGroup`, runAsGroup),
    ...(allowPrivilegeEscalation === false && capabilities?.add?.includes('SYS_ADMIN')
      ? [
          invalid(
            `${path}.securityContext`,
            securityContext,
            'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN',
          ),
        ]
      : []),
    ...choice(`${path}.securityContext.procMount`, procMount, ['Default', 'Unmasked']),
    ...(privileged && allowPrivilegeEscalation === false
      ? [
          invalid(
            `${path}.securityContext`,
            securityContext,
            'cannot set `allowPrivilegeEscalation` to false and `privileged` to true',
          ),
        ]
      : []),
  ];
}
