/** core/v1 ConfigMap. */
import { deepEqual } from '../../kube/json.js';
import type { ConfigMap } from '../../kube/node.js';
import { ageColumn, countKeys, nameColumn, numberColumn } from '../columns.js';
import { type FieldError, forbiddenField, invalid, tooLongField } from '../errors.js';
import type { AnyObject, Kind } from '../kind.js';

const asConfigMap = (object: AnyObject): ConfigMap => object as unknown as ConfigMap;
/** Of all values and keys together. */
export const dataLimit = 1024 * 1024;

export const configMap: Kind = {
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  singular: 'configmap',
  namespaced: true,
  shortNames: ['cm'],
  type: 'core.v1.ConfigMap',
  description: 'ConfigMap holds configuration for pods: names and texts.',
  columns: [
    nameColumn,
    numberColumn('Data', object => countKeys(object.data) + countKeys(object.binaryData)),
    ageColumn,
  ],
  validate: object => {
    const { data = {}, binaryData = {} } = asConfigMap(object);
    const size = [...Object.entries(data), ...Object.entries(binaryData)].reduce(
      (sum, [key, value]) => sum + key.length + Buffer.byteLength(value),
      0,
    );
    return [
      ...keyErrors('data', data),
      ...keyErrors('binaryData', binaryData),
      ...Object.keys(data)
        .filter(key => Object.hasOwn(binaryData, key))
        .map(key => invalid(`data[${key}]`, key, 'duplicate of key present in binaryData')),
      ...(size > dataLimit ? [tooLongField('', dataLimit)] : []),
    ];
  },
  validateUpdate: (next, old) => immutableErrors(next, old, ['data', 'binaryData']),
};

/** Keys become file names. */
export function keyErrors(field: string, data: Readonly<Record<string, string>>): FieldError[] {
  return Object.keys(data).flatMap(key => {
    const here = `${field}[${key}]`;
    if (key.length > 253) return [invalid(here, key, 'must be no more than 253 characters')];
    if (!/^[-._a-zA-Z0-9]+$/.test(key))
      return [
        invalid(
          here,
          key,
          "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
        ),
      ];
    return key === '.' || key === '..' || key.startsWith('..')
      ? [invalid(here, key, key.length < 3 ? `must not be '${key}'` : "must not start with '..'")]
      : [];
  });
}

export function immutableErrors(next: AnyObject, old: AnyObject, fields: readonly string[]): FieldError[] {
  if (old.immutable !== true) return [];
  return [
    ...(next.immutable === true ? [] : [forbiddenField('immutable', 'field is immutable when `immutable` is set')]),
    ...fields
      .filter(field => !deepEqual(next[field], old[field]))
      .map(field => forbiddenField(field, 'field is immutable when `immutable` is set')),
  ];
}
