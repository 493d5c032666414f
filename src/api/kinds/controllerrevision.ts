/** apps/v1 ControllerRevision: one state of a template, kept so that it can be returned to. */
import { deepEqual } from '../../kube/json.js';
import { ageColumn, column, nameColumn, numberColumn } from '../columns.js';
import { invalid, required } from '../errors.js';
import type { AnyObject, Kind } from '../kind.js';

export const controllerRevision: Kind = {
  group: 'apps',
  version: 'v1',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  singular: 'controllerrevision',
  namespaced: true,
  type: 'apps.v1.ControllerRevision',
  description: 'ControllerRevision keeps one state of a StatefulSet or DaemonSet, for rollouts and their undoing.',
  columns: [
    nameColumn,
    column('Controller', controllerText),
    numberColumn('Revision', object => Number(object.revision ?? 0)),
    ageColumn,
  ],
  defaults: object => {
    object.revision ??= 0;
  },
  validate: object => [
    ...(object.data === undefined ? [required('data', 'data is mandatory')] : []),
    ...((object.revision as number) < 0
      ? [invalid('revision', object.revision, 'must be greater than or equal to 0')]
      : []),
  ],
  validateUpdate: (next, old) =>
    deepEqual(next.data, old.data) ? [] : [invalid('data', next.data, 'field is immutable')],
};

/** `statefulset.apps/web`. */
function controllerText({ metadata }: AnyObject): string {
  const owner = metadata.ownerReferences?.find(reference => reference.controller);
  if (!owner) return '<none>';
  const group = owner.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0]}` : '';
  return `${owner.kind.toLowerCase()}${group}/${owner.name}`;
}
