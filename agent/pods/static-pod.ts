/** A manifest file → a static Pod, or an error naming file, line and column. Pure. Rules: reliability A10, kubelet's config/file. */
import { createHash } from 'node:crypto';
import { LineCounter, parseAllDocuments } from 'yaml';
import type { Pod } from '../../src/kube/pod.js';
import { referencesOf } from '../../src/link/interest.js';

export const mirrorAnnotation = 'kubernetes.io/config.mirror';
const hashAnnotation = 'kubernetes.io/config.hash';
const sourceAnnotation = 'kubernetes.io/config.source';

/** A pod of a file on this node. The UID of an API object is no hash, so nobody can make one there that passes for it. */
export const isStatic = ({ metadata: { annotations, uid } }: Pod): boolean =>
  annotations?.[sourceAnnotation] === 'file' && uid !== undefined && annotations[hashAnnotation] === uid;

export const isMirror = (pod: Pod): boolean => pod.metadata.annotations?.[mirrorAnnotation] !== undefined;

/** A file that is not a Pod: `web.yaml:3:7: …`. */
export class ManifestError extends Error {
  override name = 'ManifestError';
}

const nameForm = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const labelForm = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** @param file the name shown in errors. Throws ManifestError. */
export function parseStaticPod(file: string, text: string, nodeName: string): Pod {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true, version: '1.1' });
  const [document] = documents;
  if (!document || documents.length !== 1)
    throw new ManifestError(`${file}: holds ${documents.length} documents; exactly one Pod is allowed`);
  const [problem] = document.errors;
  if (problem) {
    const { line, col } = lines.linePos(problem.pos[0]);
    throw new ManifestError(`${file}:${line}:${col}: ${problem.message.split('\n')[0]}`);
  }
  const value = document.toJS({ maxAliasCount: 100 }) as unknown;
  const at = (...path: (string | number)[]): string => {
    const node = path.length > 0 ? document.getIn(path, true) : document.contents;
    const range = (node as { range?: [number, number, number] } | undefined)?.range;
    const { line, col } = lines.linePos(range?.[0] ?? 0);
    return `${file}:${Math.max(1, line)}:${Math.max(1, col)}`;
  };
  const pod = check(value, at);
  const dressed = dress(pod, file, text, nodeName);
  const [named] = referencesOf(dressed);
  if (named !== undefined)
    throw new ManifestError(
      `${at('spec')}: spec names ${named.replace('/', ' ')}: a static pod cannot refer to other objects of the API`,
    );
  return dressed;
}

function check(value: unknown, at: (...path: (string | number)[]) => string): Pod {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ManifestError(`${at()}: must be an object of kind Pod`);
  const pod = value as Pod;
  if (pod.kind !== 'Pod' || pod.apiVersion !== 'v1')
    throw new ManifestError(`${at('kind')}: "${pod.apiVersion}/${pod.kind}": must be v1/Pod`);
  if (typeof pod.metadata?.name !== 'string' || !nameForm.test(pod.metadata.name)) {
    throw new ManifestError(
      `${at('metadata', 'name')}: metadata.name "${String(pod.metadata?.name)}": must be a lower-case DNS name`,
    );
  }
  const containers: unknown = pod.spec?.containers;
  if (!Array.isArray(containers) || containers.length === 0)
    throw new ManifestError(`${at('spec')}: spec.containers: at least one is required`);
  for (const [list, items] of [
    ['containers', containers],
    ['initContainers', pod.spec.initContainers ?? []],
  ] as const) {
    for (const [i, c] of (items as { name?: unknown; image?: unknown }[]).entries()) {
      if (typeof c?.name !== 'string' || !labelForm.test(c.name))
        throw new ManifestError(`${at('spec', list, i)}: spec.${list}[${i}].name: a DNS label is required`);
      if (typeof c.image !== 'string' || c.image === '')
        throw new ManifestError(`${at('spec', list, i)}: spec.${list}[${i}].image: required`);
    }
  }
  return pod;
}

/** Name with the node's, UID from content, node and path: the same file is the same pod after a restart. */
function dress(pod: Pod, file: string, text: string, nodeName: string): Pod {
  const hash = createHash('sha256')
    .update(JSON.stringify([file, nodeName, text]))
    .digest('hex')
    .slice(0, 32);
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      name: `${pod.metadata.name}-${nodeName}`,
      namespace: pod.metadata.namespace ?? 'default',
      uid: hash,
      annotations: { ...pod.metadata.annotations, [hashAnnotation]: hash, [sourceAnnotation]: 'file' },
    },
    spec: { ...pod.spec, nodeName },
  };
}

/** What is sent to the API for a static pod: no UID of ours, marked as a mirror. */
export function mirrorFor(pod: Pod): Pod {
  const { uid, ...metadata } = pod.metadata;
  const annotations = { ...metadata.annotations, [mirrorAnnotation]: uid ?? '' };
  const spec = {
    ...pod.spec,
    tolerations: [{ operator: 'Exists' as const, effect: 'NoExecute' }, ...(pod.spec.tolerations ?? [])],
  };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, annotations }, spec };
}
