/**
 * The states that a template has had, as ControllerRevisions: what `kubectl rollout history` shows and `undo` returns to.
 * StatefulSet and DaemonSet share it. A state that comes back is not stored twice: its old revision gets the next number.
 */
import type { ControllerRevision } from '../../kube/api/apps-v1.js';
import type { PodTemplateSpec } from '../../kube/api/core-v1.js';
import type { LabelSelector } from '../../kube/api/meta-v1.js';
import { deepEqual } from '../../kube/json.js';
import { selects } from '../../kube/label-selector.js';
import type { KubeObject } from '../../kube/meta.js';
import { type Action, type FactsView, targetOf } from '../contract.js';
import { claim, controllerRefTo } from '../pods/ownership.js';
import { revisionHash } from './hash.js';

export interface Versioned extends KubeObject {
  readonly spec?: { selector: LabelSelector; template: PodTemplateSpec; revisionHistoryLimit?: number };
  readonly status?: { collisionCount?: number };
}

export interface History {
  /** Oldest first, with the one that is about to be made. */
  readonly revisions: readonly ControllerRevision[];
  /** The one of the template as it is now. */
  readonly update: ControllerRevision;
  /** How often a name was found taken; to be kept in the status. */
  readonly collisionCount: number | undefined;
  readonly actions: readonly Action[];
}

/** @param hashLabel the label of revisions that carries their hash */
export function historyOf(view: FactsView, owner: Versioned, hashLabel: string): History {
  const { mine, actions } = claim<ControllerRevision>(view, owner, 'ControllerRevision', revision =>
    selects(owner.spec?.selector, revision.metadata.labels),
  );
  const known = [...mine].sort((a, b) => a.revision - b.revision || (a.metadata.name < b.metadata.name ? -1 : 1));
  const data = dataOf(owner.spec?.template);
  const next = (known.at(-1)?.revision ?? 0) + 1;
  const same = known.findLast(revision => deepEqual(revision.data, data));
  const before = owner.status?.collisionCount;
  if (same && same === known.at(-1)) return { revisions: known, update: same, collisionCount: before, actions };
  if (same) {
    const again = { ...same, revision: next };
    const others = known.filter(revision => revision !== same);
    return {
      revisions: [...others, again],
      update: again,
      collisionCount: before,
      actions: [...actions, renumber(same, next)],
    };
  }
  const { revision, collisions } = makeRevision(view, owner, { data, number: next, hashLabel });
  return {
    revisions: [...known, revision],
    update: revision,
    collisionCount: collisions || before,
    actions: [...actions, { do: 'create', object: revision }],
  };
}

/** What `kubectl rollout undo` sends as a patch. */
const dataOf = (template: PodTemplateSpec | undefined): Record<string, unknown> => ({
  spec: { template: { ...template, $patch: 'replace' } },
});

/** The template that a revision keeps. */
export function templateOf({ data }: ControllerRevision): PodTemplateSpec {
  const { $patch: _, ...template } = (data as { spec: { template: PodTemplateSpec & { $patch?: string } } }).spec
    .template;
  return template;
}

function renumber(revision: ControllerRevision, number: number): Action {
  const at = revision.metadata.resourceVersion;
  return { do: 'patch', target: targetOf(revision), at, patch: { revision: number } };
}

interface NewRevision {
  readonly data: Record<string, unknown>;
  readonly number: number;
  readonly hashLabel: string;
}

const longestPrefix = 223;

function makeRevision(
  view: FactsView,
  owner: Versioned,
  { data, number, hashLabel }: NewRevision,
): { revision: ControllerRevision; collisions: number } {
  const { namespace, name: ownerName, annotations } = owner.metadata;
  for (let collisions = owner.status?.collisionCount ?? 0; ; collisions++) {
    const hash = revisionHash(data, collisions);
    const name = `${ownerName.slice(0, longestPrefix)}-${hash}`;
    if (view.get('ControllerRevision', namespace, name)) continue;
    const metadata = {
      name,
      ...(namespace && { namespace }),
      labels: { ...owner.spec?.template.metadata?.labels, [hashLabel]: hash },
      ...(annotations && { annotations }),
      ownerReferences: [controllerRefTo(owner)],
    };
    return {
      revision: { apiVersion: 'apps/v1', kind: 'ControllerRevision', metadata, data, revision: number },
      collisions,
    };
  }
}

/** Deletes the oldest that nothing uses any more, beyond what the owner wants to keep. @param live names in use */
export function forgetOld(
  owner: Versioned,
  revisions: readonly ControllerRevision[],
  live: ReadonlySet<string>,
): Action[] {
  const old = revisions.filter(({ metadata }) => !live.has(metadata.name));
  const excess = old.length - (owner.spec?.revisionHistoryLimit ?? 10);
  return excess > 0 ? old.slice(0, excess).map(revision => ({ do: 'delete', target: targetOf(revision) })) : [];
}
