/** Whether a Pod makes sense as it stands. Pure; one complaint per field, with Kubernetes' words. */
import { deepEqual } from '../../kube/json.js';
import { labelProblems, qualifiedNameProblems, subdomainProblems } from '../../kube/names.js';
import type { DownwardFile, Pod, PodSpec, ProjectedSource, Toleration, Volume } from '../../kube/pod.js';
import { quantityProblem } from '../../kube/quantity.js';
import { duplicate, type FieldError, forbiddenField, invalid, notSupported, required } from '../errors.js';
import { restoreGated, validateGated } from './gates.js';
import { validateContainers } from './validate-container.js';
import { validateEphemeral } from './validate-ephemeral.js';
import { validateHostUsers } from './validate-host-users.js';
import { validateScheduling } from './validate-scheduling.js';

export function validatePod(pod: Pod): FieldError[] {
  return [...validatePodSpec(pod.spec, 'spec'), ...validateEphemeral(pod.spec)];
}

/**
 * Also for pod templates; @param path `spec` or `spec.template.spec`.
 * @param more volumes that the pod will have beside its own: the claims of a StatefulSet.
 */
export function validatePodSpec(spec: PodSpec, path: string, more: readonly string[] = []): FieldError[] {
  const volumes = new Set([...(spec.volumes ?? []).map(volume => volume.name), ...more]);
  return [
    ...validateVolumes(spec.volumes ?? [], `${path}.volumes`),
    ...validateContainers(spec, volumes, path),
    ...choice(`${path}.restartPolicy`, spec.restartPolicy, ['Always', 'OnFailure', 'Never']),
    ...choice(`${path}.dnsPolicy`, spec.dnsPolicy, ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']),
    ...validateDns(spec, path),
    ...notNegative(`${path}.terminationGracePeriodSeconds`, spec.terminationGracePeriodSeconds),
    ...(spec.activeDeadlineSeconds !== undefined &&
    (spec.activeDeadlineSeconds < 1 || spec.activeDeadlineSeconds > 2 ** 31 - 1)
      ? [
          invalid(
            `${path}.activeDeadlineSeconds`,
            spec.activeDeadlineSeconds,
            'must be between 1 and 2147483647, inclusive',
          ),
        ]
      : []),
    ...names(`${path}.nodeName`, spec.nodeName, subdomainProblems),
    ...names(`${path}.serviceAccountName`, spec.serviceAccountName, subdomainProblems),
    ...names(`${path}.hostname`, spec.hostname, labelProblems),
    ...names(`${path}.subdomain`, spec.subdomain, labelProblems),
    ...Object.entries(spec.nodeSelector ?? {}).flatMap(([key]) =>
      qualifiedNameProblems(key).map(why => invalid(`${path}.nodeSelector`, key, why)),
    ),
    ...validateScheduling(spec, path),
    ...(spec.tolerations ?? []).flatMap((item, i) => validateToleration(item, `${path}.tolerations[${i}]`)),
    ...(spec.hostAliases ?? []).flatMap(({ ip }, i) =>
      isAddress(ip)
        ? []
        : [
            invalid(
              `${path}.hostAliases[${i}].ip`,
              ip,
              'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
            ),
          ],
    ),
    ...(spec.shareProcessNamespace && spec.hostPID
      ? [invalid(`${path}.shareProcessNamespace`, true, 'ShareProcessNamespace and HostPID cannot both be enabled')]
      : []),
    ...validateHostUsers(spec, path),
    ...validateSysctls(spec, `${path}.securityContext.sysctls`),
    ...validateIds(spec, `${path}.securityContext`),
    ...Object.entries(spec.overhead ?? {}).flatMap(([key, value]) =>
      problem(`${path}.overhead[${key}]`, value, quantityProblem(value)),
    ),
  ];
}

export const choice = (path: string, value: string | undefined, allowed: readonly string[]): FieldError[] =>
  value === undefined || allowed.includes(value) ? [] : [notSupported(path, value, allowed)];

export const names = (path: string, value: string | undefined, problems: (name: string) => string[]): FieldError[] =>
  value ? problems(value).map(why => invalid(path, value, why)) : [];

export const notNegative = (path: string, value: number | undefined): FieldError[] =>
  value !== undefined && value < 0 ? [invalid(path, value, 'must be greater than or equal to 0')] : [];

export const problem = (path: string, value: unknown, why: string | undefined): FieldError[] =>
  why ? [invalid(path, value, why)] : [];

export const isAddress = (text: string): boolean =>
  /^[0-9a-fA-F:.]{2,45}$/.test(text) && (isV4(text) || text.includes(':'));
const isV4 = (text: string): boolean =>
  /^(\d{1,3}\.){3}\d{1,3}$/.test(text) &&
  text.split('.').every(part => Number(part) < 256 && String(Number(part)) === part);

function validateVolumes(volumes: readonly Volume[], path: string): FieldError[] {
  const seen = new Set<string>();
  return volumes.flatMap((volume, i) => {
    const here = `${path}[${i}]`;
    const repeated = seen.has(volume.name);
    seen.add(volume.name);
    const sources = Object.keys(volume).filter(key => key !== 'name');
    return [
      ...(volume.name
        ? labelProblems(volume.name).map(why => invalid(`${here}.name`, volume.name, why))
        : [required(`${here}.name`)]),
      ...(repeated ? [duplicate(`${here}.name`, volume.name)] : []),
      ...(sources.length > 1
        ? sources.slice(1).map(source => forbiddenField(`${here}.${source}`, 'may not specify more than 1 volume type'))
        : []),
      ...validateSource(volume, here),
    ];
  });
}

function validateSource(volume: Volume, path: string): FieldError[] {
  const { hostPath, secret, emptyDir, configMap, downwardAPI, projected } = volume;
  return [
    ...(hostPath && !hostPath.path ? [required(`${path}.hostPath.path`)] : []),
    ...(hostPath?.path?.split('/').includes('..')
      ? [invalid(`${path}.hostPath.path`, hostPath.path, "must not contain '..'")]
      : []),
    ...(hostPath
      ? choice(`${path}.hostPath.type`, hostPath.type, [
          '',
          'DirectoryOrCreate',
          'Directory',
          'FileOrCreate',
          'File',
          'Socket',
          'CharDevice',
          'BlockDevice',
        ])
      : []),
    ...(secret && !secret.secretName ? [required(`${path}.secret.secretName`)] : []),
    ...(configMap && !configMap.name ? [required(`${path}.configMap.name`)] : []),
    ...(emptyDir?.sizeLimit !== undefined
      ? problem(`${path}.emptyDir.sizeLimit`, emptyDir.sizeLimit, quantityProblem(emptyDir.sizeLimit))
      : []),
    ...validateItems(secret?.items, `${path}.secret.items`),
    ...validateItems(configMap?.items, `${path}.configMap.items`),
    ...validateDownward(downwardAPI?.items, `${path}.downwardAPI.items`),
    ...(projected?.sources ?? []).flatMap((source, i) => validateProjected(source, `${path}.projected.sources[${i}]`)),
    ...mode(`${path}.downwardAPI.defaultMode`, downwardAPI?.defaultMode),
    ...mode(`${path}.projected.defaultMode`, projected?.defaultMode),
    ...mode(`${path}.secret.defaultMode`, secret?.defaultMode),
    ...mode(`${path}.configMap.defaultMode`, configMap?.defaultMode),
  ];
}

const sysctlForm = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9][-_a-z0-9/.]*$/;

function validateSysctls({ securityContext }: PodSpec, path: string): FieldError[] {
  const seen = new Set<string>();
  return (securityContext?.sysctls ?? []).flatMap(({ name }, i) => {
    const repeated = seen.has(name);
    seen.add(name);
    if (!name) return [required(`${path}[${i}].name`)];
    if (name.length > 253 || !sysctlForm.test(name))
      return [
        invalid(
          `${path}[${i}].name`,
          name,
          'must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$',
        ),
      ];
    return repeated ? [duplicate(`${path}[${i}].name`, name)] : [];
  });
}

/** Numbers of users and groups, as a kernel can have them. */
function validateIds({ securityContext }: PodSpec, path: string): FieldError[] {
  const { runAsUser, runAsGroup, fsGroup, supplementalGroups = [] } = securityContext ?? {};
  return [
    ...validateId(`${path}.runAsUser`, runAsUser),
    ...validateId(`${path}.runAsGroup`, runAsGroup),
    ...validateId(`${path}.fsGroup`, fsGroup),
    ...supplementalGroups.flatMap((group, i) => validateId(`${path}.supplementalGroups[${i}]`, group)),
  ];
}

export const validateId = (path: string, value: number | undefined): FieldError[] =>
  value !== undefined && (value < 0 || value > 2 ** 31 - 1)
    ? [invalid(path, value, 'must be between 0 and 2147483647, inclusive')]
    : [];

const mode = (path: string, value: number | undefined): FieldError[] =>
  value !== undefined && (value < 0 || value > 0o777)
    ? [invalid(path, value, 'must be a number between 0 and 0777 (octal), both inclusive')]
    : [];

function validateItems(
  items: readonly { key: string; path: string; mode?: number }[] | undefined,
  path: string,
): FieldError[] {
  return (items ?? []).flatMap((item, i) => [
    ...(item.key ? [] : [required(`${path}[${i}].key`)]),
    ...validateRelative(item.path, `${path}[${i}].path`),
    ...mode(`${path}[${i}].mode`, item.mode),
  ]);
}

function validateProjected(source: ProjectedSource, path: string): FieldError[] {
  const { configMap, secret, downwardAPI, serviceAccountToken } = source;
  const kinds = Object.keys(source);
  return [
    ...(kinds.length === 0 ? [required(path, 'must specify at least one volume type')] : []),
    ...kinds.slice(1).map(kind => forbiddenField(`${path}.${kind}`, 'may not specify more than 1 volume type')),
    ...(configMap && !configMap.name ? [required(`${path}.configMap.name`)] : []),
    ...(secret && !secret.name ? [required(`${path}.secret.name`)] : []),
    ...validateItems(configMap?.items, `${path}.configMap.items`),
    ...validateItems(secret?.items, `${path}.secret.items`),
    ...validateDownward(downwardAPI?.items, `${path}.downwardAPI.items`),
    ...(serviceAccountToken && !serviceAccountToken.path ? [required(`${path}.serviceAccountToken.path`)] : []),
  ];
}

const volumeFields = /^metadata\.(name|namespace|uid|labels|annotations|(labels|annotations)\['[^']*'\])$/;

function validateDownward(items: readonly DownwardFile[] | undefined, path: string): FieldError[] {
  return (items ?? []).flatMap((item, i) => {
    const here = `${path}[${i}]`;
    const { fieldRef, resourceFieldRef } = item;
    return [
      ...validateRelative(item.path, `${here}.path`),
      ...(fieldRef && resourceFieldRef
        ? [invalid(here, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously')]
        : []),
      ...(!fieldRef && !resourceFieldRef ? [required(here, 'one of fieldRef and resourceFieldRef is required')] : []),
      ...(fieldRef && !volumeFields.test(fieldRef.fieldPath)
        ? [
            notSupported(`${here}.fieldRef.fieldPath`, fieldRef.fieldPath, [
              'metadata.annotations',
              'metadata.labels',
              'metadata.name',
              'metadata.namespace',
              'metadata.uid',
            ]),
          ]
        : []),
      ...(resourceFieldRef && !resourceFieldRef.containerName
        ? [required(`${here}.resourceFieldRef.containerName`)]
        : []),
      ...mode(`${here}.mode`, item.mode),
    ];
  });
}

function validateRelative(text: string | undefined, path: string): FieldError[] {
  if (!text) return [required(path)];
  if (text.startsWith('/')) return [invalid(path, text, 'must be a relative path')];
  if (text.split('/').includes('..')) return [invalid(path, text, "must not contain '..'")];
  return text.startsWith('..') ? [invalid(path, text, "must not start with '..'")] : [];
}

function validateDns(spec: PodSpec, path: string): FieldError[] {
  const servers = spec.dnsConfig?.nameservers ?? [];
  return [
    ...(spec.dnsPolicy === 'None' && servers.length === 0
      ? [required(`${path}.dnsConfig.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None')]
      : []),
    ...(servers.length > 3
      ? [invalid(`${path}.dnsConfig.nameservers`, servers, 'must not have more than 3 nameservers')]
      : []),
    ...servers.flatMap((server, i) =>
      isAddress(server) ? [] : [invalid(`${path}.dnsConfig.nameservers[${i}]`, server, 'must be a valid IP address')],
    ),
  ];
}

function validateToleration(toleration: Toleration, path: string): FieldError[] {
  const { key, operator = 'Equal', value, effect, tolerationSeconds } = toleration;
  return [
    ...(key ? qualifiedNameProblems(key).map(why => invalid(`${path}.key`, key, why)) : []),
    ...(!key && operator !== 'Exists'
      ? [
          invalid(
            `${path}.operator`,
            operator,
            'operator must be Exists when `key` is empty, which means "match all values and all keys"',
          ),
        ]
      : []),
    ...choice(`${path}.operator`, operator, ['Equal', 'Exists', 'Lt', 'Gt']),
    ...(operator === 'Exists' && value
      ? [invalid(`${path}.operator`, value, "value must be empty when `operator` is 'Exists'")]
      : []),
    ...(tolerationSeconds !== undefined && effect !== 'NoExecute'
      ? [invalid(`${path}.effect`, effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set")]
      : []),
    ...(effect ? choice(`${path}.effect`, effect, ['NoSchedule', 'PreferNoSchedule', 'NoExecute']) : []),
  ];
}

const updatable =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

/** A pod's spec is fixed but for images, new tolerations and the deadline. */
export function validatePodUpdate(next: Pod, old: Pod): FieldError[] {
  const restored: PodSpec = { ...next.spec };
  const images = (spec: PodSpec): PodSpec['containers'] =>
    spec.containers.map((container, i) => ({ ...container, image: old.spec.containers[i]?.image ?? '' }));
  restored.containers = images(next.spec);
  if (next.spec.initContainers) {
    restored.initContainers = next.spec.initContainers.map((container, i) => ({
      ...container,
      image: old.spec.initContainers?.[i]?.image ?? '',
    }));
  }
  for (const key of ['activeDeadlineSeconds', 'terminationGracePeriodSeconds', 'tolerations'] as const) {
    if (old.spec[key] === undefined) delete restored[key];
    else Object.assign(restored, { [key]: old.spec[key] });
  }
  restoreGated(restored, old);
  return [
    ...validateGated(next, old),
    ...(next.spec.containers.length === old.spec.containers.length
      ? []
      : [forbiddenField('spec.containers', 'pod updates may not add or remove containers')]),
    ...(next.spec.containers.length === old.spec.containers.length &&
    !deepEqual(withoutEmpty(restored), withoutEmpty(old.spec))
      ? [forbiddenField('spec', updatable)]
      : []),
    ...((old.spec.tolerations ?? []).every(item => (next.spec.tolerations ?? []).some(other => deepEqual(item, other)))
      ? []
      : [forbiddenField('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds')]),
  ];
}

/** An empty list or map is the same as none. */
function withoutEmpty(spec: PodSpec): unknown {
  return Object.fromEntries(
    Object.entries(spec).filter(
      ([, value]) => !(typeof value === 'object' && value !== null && Object.keys(value).length === 0),
    ),
  );
}
