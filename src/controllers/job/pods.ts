/** What the pods of a Job are: new ones, and what existing ones say. Pure. */
import type { Job } from '../../kube/api/batch-v1.js';
import { generatedSuffix } from '../../kube/names.js';
import type { Container, Pod } from '../../kube/pod.js';
import { parseTime } from '../../kube/time.js';
import { podFromTemplate } from '../pods/template.js';
import { indexAnnotation } from './indexes.js';

/** A pod keeps it until the Job has counted it: so it is counted once, however it goes. */
export const tracking = 'batch.kubernetes.io/job-tracking';
/** How often this index failed before, in a Job with backoffLimitPerIndex. */
export const failuresAnnotation = 'batch.kubernetes.io/job-index-failure-count';

export const isIndexed = ({ spec }: Job): boolean => spec?.completionMode === 'Indexed';
export const isTracked = ({ metadata }: Pod): boolean => metadata.finalizers?.includes(tracking) ?? false;
export const hasSucceeded = ({ status }: Pod): boolean => status?.phase === 'Succeeded';

/**
 * With podReplacementPolicy Failed a pod counts when it has ended, else as soon as it is on its way out. One without any
 * grace left has ended: its node has said so, or it never had one, and nobody else will ever write its phase.
 */
export function hasFailed(job: Job, { status, metadata }: Pod): boolean {
  if (status?.phase === 'Failed') return true;
  if (metadata.deletionTimestamp === undefined || status?.phase === 'Succeeded') return false;
  return job.spec?.podReplacementPolicy !== 'Failed' || metadata.deletionGracePeriodSeconds === 0;
}

export const failuresOf = ({ metadata }: Pod): number => Number(metadata.annotations?.[failuresAnnotation] ?? 0) || 0;

/** @param index undefined in a Job without indexes */
export function newPod(job: Job, random: () => number, index?: { number: number; failures: number }): Pod {
  const plain = podFromTemplate(job.spec?.template, job, random);
  const pod: Pod = {
    ...plain,
    metadata: { ...plain.metadata, finalizers: [...(plain.metadata.finalizers ?? []), tracking] },
  };
  return index ? withIndex(job, pod, index, random) : pod;
}

const longestPrefix = 63 - 5;

function withIndex(
  job: Job,
  { metadata, spec, ...pod }: Pod,
  { number, failures }: { number: number; failures: number },
  random: () => number,
): Pod {
  const text = String(number);
  const generateName = `${job.metadata.name}-${text}-`;
  const perIndex = job.spec?.backoffLimitPerIndex !== undefined;
  return {
    ...pod,
    metadata: {
      ...metadata,
      name: generateName.slice(0, longestPrefix) + generatedSuffix(random),
      generateName,
      labels: { ...metadata.labels, [indexAnnotation]: text },
      annotations: {
        ...metadata.annotations,
        [indexAnnotation]: text,
        ...(perIndex && { [failuresAnnotation]: String(failures) }),
      },
    },
    spec: {
      ...spec,
      hostname: `${job.metadata.name}-${text}`,
      containers: spec.containers.map(withIndexVariable),
      ...(spec.initContainers && { initContainers: spec.initContainers.map(withIndexVariable) }),
    },
  };
}

const variable = 'JOB_COMPLETION_INDEX';

function withIndexVariable(container: Container): Container {
  if (container.env?.some(({ name }) => name === variable)) return container;
  const fieldRef = { fieldPath: `metadata.labels['${indexAnnotation}']` };
  return { ...container, env: [...(container.env ?? []), { name: variable, valueFrom: { fieldRef } }] };
}

/**
 * When the pod ended, in milliseconds since 1970. The node says so; what it says of the future is not believed, or no pod
 * would be made until then.
 */
export function endedAt({ metadata, status }: Pod, now: number): number {
  const made = parseTime(metadata.creationTimestamp ?? '') ?? now;
  const times = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])]
    .map(({ state }) => parseTime(state?.terminated?.finishedAt ?? ''))
    .filter(time => time !== undefined);
  const gone = parseTime(metadata.deletionTimestamp ?? '');
  const last = times.length > 0 ? Math.max(...times) : (gone ?? made);
  return last > now ? made : Math.max(last, made);
}
