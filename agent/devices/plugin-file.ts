/**
 * A device plugin, described by a small file instead of a program: `resource: vendor.com/gpu` and its devices, each with
 * the nodes, mounts and variables that a container gets with it. Parsing only: nothing of the node is looked at.
 *
 *     resource: vendor.com/gpu
 *     devices:
 *       - id: gpu0
 *         nodes: [{ hostPath: /dev/gpu0, containerPath: /dev/gpu0, permissions: rw }]
 *         mounts: [{ hostPath: /usr/lib/gpu, containerPath: /usr/lib/gpu, readOnly: true }]
 *         env: { GPU_MODE: compute }
 */
import { parse } from 'yaml';

export interface DeviceNode {
  readonly hostPath: string;
  readonly containerPath: string;
  /** Of r, w and m (mknod). */
  readonly permissions: string;
}

export interface DeviceMount {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly readOnly: boolean;
}

export interface Device {
  readonly id: string;
  readonly nodes: readonly DeviceNode[];
  readonly mounts: readonly DeviceMount[];
  readonly env: Readonly<Record<string, string>>;
}

export interface DevicePlugin {
  readonly resource: string;
  readonly devices: readonly Device[];
}

/** What is wrong with a file: `FILE: devices[0].nodes[0].hostPath "x": must be an absolute path`. */
export class DeviceFileError extends Error {
  override name = 'DeviceFileError';
}

type Fields = Readonly<Record<string, unknown>>;

/** @throws DeviceFileError naming file, field, value and what is allowed */
export function parsePlugin(file: string, text: string): DevicePlugin {
  const wrong: Wrong = (field, value, allowed) => {
    throw new DeviceFileError(`${file}: ${field} ${JSON.stringify(value) ?? 'is missing'}: ${allowed}`);
  };
  const root = fieldsOf(parsed(file, text), '(file)', ['resource', 'devices'], wrong);
  const resource = resourceOf(root['resource'], wrong);
  const devices = listOf(root['devices'], 'devices', wrong).map((item, i) => deviceOf(item, `devices[${i}]`, wrong));
  const ids = devices.map(({ id }) => id);
  const twice = ids.find((id, i) => ids.indexOf(id) !== i);
  if (twice !== undefined) wrong('devices', twice, 'every id must be there once');
  return { resource, devices };
}

type Wrong = (field: string, value: unknown, allowed: string) => never;

function parsed(file: string, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    const [line = ''] = (error as Error).message.split('\n');
    throw new DeviceFileError(`${file}: ${line.replace(/:$/, '')}`);
  }
}

function fieldsOf(value: unknown, field: string, allowed: readonly string[], wrong: Wrong): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return wrong(field, value, `must be a map with ${allowed.join(', ')}`);
  const unknown = Object.keys(value).find(key => !allowed.includes(key));
  if (unknown !== undefined) wrong(field, unknown, `unknown field; allowed: ${allowed.join(', ')}`);
  return value as Fields;
}

function listOf(value: unknown, field: string, wrong: Wrong): readonly unknown[] {
  return Array.isArray(value) ? value : wrong(field, value, 'must be a list');
}

/** An extended resource: a domain that is not Kubernetes' own, and a name. */
function resourceOf(value: unknown, wrong: Wrong): string {
  const pattern = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
  const ok = typeof value === 'string' && pattern.test(value) && !/(^|\.)kubernetes\.io\//.test(value);
  return ok ? value : wrong('resource', value, 'must be a name such as vendor.com/gpu, outside kubernetes.io');
}

function deviceOf(value: unknown, field: string, wrong: Wrong): Device {
  const device = fieldsOf(value, field, ['id', 'nodes', 'mounts', 'env'], wrong);
  const { id } = device;
  const list = (name: string) => (device[name] === undefined ? [] : listOf(device[name], `${field}.${name}`, wrong));
  return {
    id: typeof id === 'string' && /^[\w.:-]{1,128}$/.test(id) ? id : wrong(`${field}.id`, id, idRule),
    nodes: list('nodes').map((node, i) => nodeOf(node, `${field}.nodes[${i}]`, wrong)),
    mounts: list('mounts').map((mount, i) => mountOf(mount, `${field}.mounts[${i}]`, wrong)),
    env: envOf(device['env'], `${field}.env`, wrong),
  };
}

const idRule = 'must be a text of at most 128 letters, digits and _ . : -';

function nodeOf(value: unknown, field: string, wrong: Wrong): DeviceNode {
  const node = fieldsOf(value, field, ['hostPath', 'containerPath', 'permissions'], wrong);
  const permissions = node['permissions'] ?? 'rw';
  const ok = typeof permissions === 'string' && /^(?!.*(.).*\1)[rwm]{1,3}$/.test(permissions);
  return {
    ...pathsOf(node, field, wrong),
    permissions: ok ? permissions : wrong(`${field}.permissions`, permissions, 'must be one or more of r, w and m'),
  };
}

function mountOf(value: unknown, field: string, wrong: Wrong): DeviceMount {
  const mount = fieldsOf(value, field, ['hostPath', 'containerPath', 'readOnly'], wrong);
  const readOnly = mount['readOnly'] ?? false;
  if (typeof readOnly !== 'boolean') return wrong(`${field}.readOnly`, readOnly, 'must be true or false');
  return { ...pathsOf(mount, field, wrong), readOnly };
}

/** Where it is on the node is where it comes to in the container, unless that is said. */
function pathsOf(fields: Fields, field: string, wrong: Wrong): { hostPath: string; containerPath: string } {
  const path = (name: string, value: unknown): string => {
    const ok = typeof value === 'string' && /^\/[^\0]+$/.test(value) && !value.split('/').includes('..');
    return ok ? value : wrong(`${field}.${name}`, value, 'must be an absolute path without ".."');
  };
  const hostPath = path('hostPath', fields['hostPath']);
  return { hostPath, containerPath: path('containerPath', fields['containerPath'] ?? hostPath) };
}

function envOf(value: unknown, field: string, wrong: Wrong): Record<string, string> {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return wrong(field, value, 'must be a map of names to texts');
  const bad = Object.entries(value).find(([name, text]) => !/^[A-Za-z_]\w*$/.test(name) || !isText(text));
  if (bad) wrong(`${field}.${bad[0]}`, bad[1], 'must be a variable name with a text without NUL');
  return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)]));
}

const isText = (value: unknown): boolean =>
  typeof value === 'number' || (typeof value === 'string' && !value.includes('\0'));
