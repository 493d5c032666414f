/**
 * Turns what the shim says went wrong (`<errno> <step> <path>`) into the error that people and the pod worker expect:
 * sentences as runc and kubelet write them, classified once, here.
 */
import { getSystemErrorMap, getSystemErrorName } from 'node:util';
import { KernelError } from '../../native/index.js';
import { ContainerConfigError, StartError } from './contract.js';

interface Failure {
  readonly errno: number;
  readonly code: string;
  /** `no such file or directory` */
  readonly reason: string;
  readonly step: string;
  readonly path: string;
}

function parseFailure(text: string): Failure {
  const [errno = '0', step = 'unknown', ...path] = text.split(' ');
  const number = Number(errno);
  const known = getSystemErrorMap().get(-number);
  const code = known ? getSystemErrorName(-number) : `errno ${number}`;
  return { errno: number, code, reason: known?.[1] ?? `error ${number}`, step, path: path.join(' ') };
}

function execMessage({ path, code, reason }: Failure): string {
  if (code === 'ENOENT') return `exec: "${path}": stat ${path}: no such file or directory`;
  if (code === 'EACCES') return `exec: "${path}": permission denied`;
  return `exec ${path}: ${reason === 'error 8' ? 'exec format error' : reason}`;
}

function lookupMessage({ path, code, reason }: Failure): string {
  if (code === 'ENOENT') return `exec: "${path}": executable file not found in $PATH`;
  return `exec: "${path}": ${reason === 'error 8' ? 'exec format error' : reason}`;
}

const sentences: Readonly<Record<string, (failure: Failure) => Error>> = {
  exec: failure => new StartError(execMessage(failure)),
  lookup: failure => new StartError(lookupMessage(failure)),
  cwd: ({ path, reason }) => new StartError(`chdir to cwd ("${path}") failed: ${reason}`),
  volume: ({ path, reason }) => new StartError(`error mounting "${path}": ${reason}`),
  mount: ({ path, reason }) => new StartError(`error mounting to rootfs at "${path}": ${reason}`),
  idmap: ({ path, reason }) =>
    new StartError(
      `failed to set MOUNT_ATTR_IDMAP on ${path}: ${reason} (maybe the filesystem used doesn't support idmap mounts on this kernel?)`,
    ),
  mountpoint: ({ path, reason, code }) =>
    new StartError(
      code === 'EPERM'
        ? `"${path}" cannot be mounted because it is inside /proc`
        : `error preparing mount point "${path}" in the rootfs: ${reason}`,
    ),
  user: ({ path }) => new ContainerConfigError(`unable to find user ${path}: no matching entries in passwd file`),
  'user-range': ({ path }) =>
    new ContainerConfigError(`user or group "${path}": uids and gids must be in range 0-2147483647`),
  group: ({ path }) => new ContainerConfigError(`unable to find group ${path}: no matching entries in group file`),
  nonroot: () => new ContainerConfigError('container has runAsNonRoot and image will run as root'),
};

/** @param object `container app of pod default/web-0` */
export function failureError(object: string, text: string): Error {
  const failure = parseFailure(text);
  const sentence = sentences[failure.step];
  if (sentence) return sentence(failure);
  return new KernelError(failure.step, object, failure.errno, failure.code, failure.path || undefined);
}
