/** The image config (image-spec config.md): what a container is made of. Image data is checked and bounded, never trusted. Pure. */
import { ImageError } from './blob.js';
import type { ImageConfig } from './contract.js';

const maxItems = 4096;
const maxLayers = 128;

export interface ParsedConfig {
  readonly config: ImageConfig;
  readonly diffIds: readonly string[];
  readonly architecture: string;
  readonly os: string;
}

type Json = Record<string, unknown>;

function object(value: unknown, name: string): Json {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw new ImageError(`the image config has no object in "${name}"`);
  return value as Json;
}

function strings(value: unknown, name: string): string[] {
  if (value === undefined || value === null) return [];
  const ok =
    Array.isArray(value) &&
    value.length <= maxItems &&
    value.every(item => typeof item === 'string' && !item.includes('\0'));
  if (!ok) throw new ImageError(`the image config has no list of strings in "${name}"`);
  return value as string[];
}

function string(value: unknown, name: string): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string' || value.includes('\0'))
    throw new ImageError(`the image config has no string in "${name}"`);
  return value;
}

function labelsOf(value: unknown): Record<string, string> {
  const labels = object(value, 'Labels');
  return Object.fromEntries(Object.entries(labels).map(([key, text]) => [key, String(text)]));
}

/** @throws ImageError naming the field */
export function parseConfig(data: Buffer): ParsedConfig {
  const root = object(parseJson(data, 'the image config'), '');
  const c = object(root['config'], 'config');
  const user = string(c['User'], 'User');
  const stopSignal = string(c['StopSignal'], 'StopSignal');
  const diffIds = strings(object(root['rootfs'], 'rootfs')['diff_ids'], 'rootfs.diff_ids');
  if (diffIds.length === 0 || diffIds.length > maxLayers)
    throw new ImageError(`the image has ${diffIds.length} layers; 1 to ${maxLayers} are possible`);
  return {
    diffIds,
    architecture: string(root['architecture'], 'architecture') ?? '',
    os: string(root['os'], 'os') ?? '',
    config: {
      ...(user !== undefined && { user }),
      ...(stopSignal !== undefined && { stopSignal }),
      env: strings(c['Env'], 'Env'),
      entrypoint: strings(c['Entrypoint'], 'Entrypoint'),
      cmd: strings(c['Cmd'], 'Cmd'),
      workingDir: string(c['WorkingDir'], 'WorkingDir') ?? '',
      volumes: Object.keys(object(c['Volumes'], 'Volumes')),
      exposedPorts: Object.keys(object(c['ExposedPorts'], 'ExposedPorts')),
      labels: labelsOf(c['Labels']),
    },
  };
}

export function parseJson(data: Buffer, what: string): unknown {
  try {
    return JSON.parse(data.toString('utf8'));
  } catch (cause) {
    throw new ImageError(`${what} is not JSON`, { cause });
  }
}
