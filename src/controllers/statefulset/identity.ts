/** Names, labels and volumes that make pod N of a StatefulSet the same pod wherever and whenever it runs. Pure. */
import type { ControllerRevision, StatefulSet } from '../../kube/api/apps-v1.js';
import type { PersistentVolumeClaim } from '../../kube/api/core-v1.js';
import type { Pod, Volume } from '../../kube/pod.js';
import { podFromTemplate } from '../pods/template.js';
import { templateOf } from '../revisions/history.js';

const podNameLabel = 'statefulset.kubernetes.io/pod-name';
const podIndexLabel = 'apps.kubernetes.io/pod-index';
/** On pods: the name of their ControllerRevision. */
export const revisionLabel = 'controller-revision-hash';
/** On ControllerRevisions of StatefulSets. */
export const hashLabel = 'controller.kubernetes.io/hash';

export const podName = (set: StatefulSet, ordinal: number): string => `${set.metadata.name}-${ordinal}`;

const form = /^(.+)-(0|[1-9]\d{0,9})$/;

/** Which StatefulSet a name belongs to, and as which number; undefined if it has no such form. */
export function identityOf(name: string): { set: string; ordinal: number } | undefined {
  const [, set, ordinal] = form.exec(name) ?? [];
  return set === undefined ? undefined : { set, ordinal: Number(ordinal) };
}

export const ordinalOf = (pod: Pod): number => identityOf(pod.metadata.name)?.ordinal ?? -1;

export const revisionOf = (pod: Pod): string | undefined => pod.metadata.labels?.[revisionLabel];

export const identityLabels = (set: StatefulSet, ordinal: number): Record<string, string> => ({
  [podNameLabel]: podName(set, ordinal),
  [podIndexLabel]: String(ordinal),
});

export function podOf(set: StatefulSet, ordinal: number, revision: ControllerRevision): Pod {
  const name = podName(set, ordinal);
  const pod = podFromTemplate(templateOf(revision), set, name);
  const labels = {
    ...pod.metadata.labels,
    ...identityLabels(set, ordinal),
    [revisionLabel]: revision.metadata.name,
  };
  const subdomain = set.spec?.serviceName;
  return {
    ...pod,
    metadata: { ...pod.metadata, labels },
    spec: { ...pod.spec, hostname: name, ...(subdomain && { subdomain }), volumes: volumesOf(set, ordinal, pod) },
  };
}

/** The claims take the place of volumes of the template with the same name. */
function volumesOf(set: StatefulSet, ordinal: number, pod: Pod): Volume[] {
  const templates = set.spec?.volumeClaimTemplates ?? [];
  const claims = templates.map(({ metadata }) => ({
    name: metadata.name,
    persistentVolumeClaim: { claimName: claimName(set, ordinal, metadata.name) },
  }));
  const names = new Set(claims.map(({ name }) => name));
  return [...claims, ...(pod.spec.volumes ?? []).filter(({ name }) => !names.has(name))];
}

export const claimName = (set: StatefulSet, ordinal: number, template: string): string =>
  `${template}-${set.metadata.name}-${ordinal}`;

/** Without owners: claims.ts says who owns them. */
export function claimsOf(set: StatefulSet, ordinal: number): PersistentVolumeClaim[] {
  const { namespace } = set.metadata;
  return (set.spec?.volumeClaimTemplates ?? []).map(({ metadata, spec }) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: claimName(set, ordinal, metadata.name),
      ...(namespace && { namespace }),
      labels: { ...metadata.labels, ...set.spec?.selector.matchLabels },
      ...(metadata.annotations && { annotations: metadata.annotations }),
    },
    ...(spec && { spec }),
  }));
}
