/**
 * The compact notation of API types, and its parsed form. One table serves strict decoding, protobuf, OpenAPI, strategic
 * merge and server-side apply; the facts are the public Kubernetes API's (1.35).
 *
 *     package core.v1
 *     ContainerPort                      a type; `atomic` after its name: server-side apply owns it as a whole
 *       1 name string                    protobuf number, JSON name, type
 *       3 containerPort int32 required always
 *
 * Types: string bytes int32 int64 uint64 bool double quantity int-or-string time micro-time duration fields raw json strings (a list
 * in JSON, a message of its own on the wire), the
 * name of another type (of another package in full), with `list:` or `map:` before it.
 * Words: required; pointer (zero differs from absent); always (written even when zero); inline (the nested message's fields
 * belong to the parent in JSON); default=X; merge[=key], retainKeys, replace (strategic merge); keys=a+b, set, atomic
 * (server-side apply; lists are atomic unless told).
 */
type Scalar =
  | 'string'
  | 'bytes'
  | 'int32'
  | 'int64'
  | 'uint64'
  | 'bool'
  | 'double'
  | 'quantity'
  | 'int-or-string'
  | 'time'
  | 'micro-time'
  | 'duration'
  | 'fields'
  | 'raw'
  | 'json'
  | 'strings';

const scalars: ReadonlySet<string> = new Set<Scalar>([
  'string',
  'bytes',
  'int32',
  'int64',
  'uint64',
  'bool',
  'double',
  'quantity',
  'int-or-string',
  'time',
  'micro-time',
  'duration',
  'fields',
  'raw',
  'json',
  'strings',
]);

export interface Field {
  readonly number: number;
  readonly name: string;
  readonly shape: 'one' | 'list' | 'map';
  /** A scalar's word, or the full name of a type. */
  readonly of: string;
  readonly scalar: boolean;
  readonly required: boolean;
  readonly pointer: boolean;
  readonly always: boolean;
  readonly inline: boolean;
  readonly atomic: boolean;
  readonly defaultValue?: string;
  /** Strategic merge: by this key, or as a set of primitives (''). */
  readonly mergeKey?: string;
  readonly retainKeys: boolean;
  readonly replace: boolean;
  /** Server-side apply: identity of list items. */
  readonly listKeys?: readonly string[];
  readonly set: boolean;
}

export interface ObjectType {
  readonly name: string;
  readonly atomic: boolean;
  /** As on the wire. */
  readonly fields: readonly Field[];
  /** As in JSON: inlined types' fields are here themselves. */
  readonly byName: ReadonlyMap<string, Field>;
}

export type TypeTable = ReadonlyMap<string, ObjectType>;

/** Parses the notation. Throws an Error naming the line for anything it does not know. */
export function parseTypes(...texts: readonly string[]): TypeTable {
  const raw = texts.flatMap(parseText);
  const table = new Map<string, ObjectType>();
  const fieldsOf = new Map(raw.map(type => [type.name, type.fields]));
  for (const type of raw) table.set(type.name, { ...type, byName: flatten(type.fields, fieldsOf) });
  for (const type of raw) for (const field of type.fields) checkReference(type.name, field, table);
  return table;
}

interface RawType {
  readonly name: string;
  readonly atomic: boolean;
  readonly fields: Field[];
}

function parseText(text: string): RawType[] {
  const types: RawType[] = [];
  let pkg = '';
  for (const line of text.split('\n').filter(line => line.trim() !== '')) {
    const words = line.trim().split(' ');
    if (words[0] === 'package') pkg = words[1] ?? '';
    else if (line.startsWith('  ')) types.at(-1)!.fields.push(parseField(words, pkg));
    else types.push({ name: `${pkg}.${words[0]}`, atomic: words[1] === 'atomic', fields: [] });
  }
  return types;
}

const flags = new Set(['required', 'pointer', 'always', 'inline', 'retainKeys', 'replace', 'set', 'atomic', 'merge']);

function parseField(words: readonly string[], pkg: string): Field {
  const [number = '', name = '', type = '', ...rest] = words;
  const [shape, of] = type.startsWith('list:')
    ? (['list', type.slice(5)] as const)
    : type.startsWith('map:')
      ? (['map', type.slice(4)] as const)
      : (['one', type] as const);
  const options = new Map(rest.map(word => word.split('=', 2) as [string, string | undefined]));
  for (const [word, value] of options) {
    if (!(value === undefined ? flags.has(word) : ['default', 'merge', 'keys'].includes(word)))
      throw new Error(`schema: unknown word "${word}" in "${words.join(' ')}"`);
  }
  const scalar = scalars.has(of);
  const listKeys = options.get('keys')?.split('+');
  const defaultValue = options.get('default');
  return {
    number: Number(number),
    name,
    shape,
    of: scalar || of.includes('.') ? of : `${pkg}.${of}`,
    scalar,
    required: options.has('required'),
    pointer: options.has('pointer'),
    always: options.has('always'),
    inline: options.has('inline'),
    atomic: options.has('atomic'),
    retainKeys: options.has('retainKeys'),
    replace: options.has('replace'),
    set: options.has('set'),
    ...(options.has('merge') && { mergeKey: options.get('merge') ?? '' }),
    ...(listKeys && { listKeys }),
    ...(defaultValue !== undefined && { defaultValue }),
  };
}

function flatten(fields: readonly Field[], fieldsOf: ReadonlyMap<string, readonly Field[]>): Map<string, Field> {
  const byName = new Map<string, Field>();
  for (const field of fields) {
    if (!field.inline) byName.set(field.name, field);
    else for (const [name, inner] of flatten(fieldsOf.get(field.of) ?? [], fieldsOf)) byName.set(name, inner);
  }
  return byName;
}

function checkReference(type: string, field: Field, table: TypeTable): void {
  if (!field.scalar && !table.has(field.of))
    throw new Error(`schema: ${type}.${field.name} is of the unknown type ${field.of}`);
}
