/** core/v1 Secret. Values are base64; `stringData` is folded into `data` and never stored. */
import { at, isObject, setOwn } from '../../kube/json.js';
import { ageColumn, column, countKeys, nameColumn, numberColumn } from '../columns.js';
import { type FieldError, invalid, required, tooLongField } from '../errors.js';
import type { AnyObject, Kind } from '../kind.js';
import { dataLimit, immutableErrors, keyErrors } from './configmap.js';

type Texts = Record<string, string>;

/** Types that must carry certain keys. */
const requiredKeys: Record<string, readonly string[]> = {
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
};

export const secret: Kind = {
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  singular: 'secret',
  namespaced: true,
  type: 'core.v1.Secret',
  description: 'Secret holds confidential data for pods; values are in base64.',
  columns: [
    nameColumn,
    column('Type', object => String(object.type ?? '')),
    numberColumn('Data', object => countKeys(object.data)),
    ageColumn,
  ],
  defaults: object => {
    object.type ||= 'Opaque';
    foldStringData(object);
  },
  validate: object => {
    const data = (object.data ?? {}) as Texts;
    const size = Object.values(data).reduce((sum, value) => sum + Buffer.byteLength(value, 'base64'), 0);
    const keys = requiredKeys[object.type as string] ?? [];
    return [
      ...keyErrors('data', data),
      ...keys.filter(key => !Object.hasOwn(data, key)).map(key => required(`data[${key}]`)),
      ...typeErrors(object, data),
      ...(size > dataLimit ? [tooLongField('data', dataLimit)] : []),
    ];
  },
  validateUpdate: (next, old) => [
    ...(next.type === old.type ? [] : [invalid('type', next.type, 'field is immutable')]),
    ...immutableErrors(next, old, ['data']),
  ],
  fieldLabels: { type: object => String(at(object, 'type') ?? '') },
};

const accountAnnotation = 'kubernetes.io/service-account.name';

/** What a type asks for beyond keys that must be there. The value of a secret is in no message. */
function typeErrors({ type, metadata }: AnyObject, data: Texts): FieldError[] {
  switch (type) {
    case 'kubernetes.io/service-account-token':
      return metadata.annotations?.[accountAnnotation] ? [] : [required(`metadata.annotations[${accountAnnotation}]`)];
    case 'kubernetes.io/basic-auth':
      return 'username' in data || 'password' in data ? [] : [required('data[username]'), required('data[password]')];
    case 'kubernetes.io/dockerconfigjson':
      return jsonErrors('.dockerconfigjson', data);
    case 'kubernetes.io/dockercfg':
      return jsonErrors('.dockercfg', data);
    default:
      return [];
  }
}

function jsonErrors(key: string, data: Texts): FieldError[] {
  if (!Object.hasOwn(data, key)) return [];
  try {
    if (isObject(JSON.parse(Buffer.from(data[key]!, 'base64').toString()))) return [];
  } catch {
    // told below, without the parser's words: they quote the value
  }
  return [invalid(`data[${key}]`, '<secret contents redacted>', 'must be a JSON object')];
}

function foldStringData(object: AnyObject): void {
  const strings = object.stringData as Texts | undefined;
  delete object.stringData;
  if (!strings) return;
  const data = { ...(object.data as Texts | undefined) };
  for (const key of Object.keys(strings)) setOwn(data, key, Buffer.from(strings[key]!).toString('base64'));
  object.data = data;
}
