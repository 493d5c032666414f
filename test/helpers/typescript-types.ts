/**
 * The table of API facts as TypeScript: one file per API group and version in src/kube/api. They are committed, because
 * people read them; api-types.test.ts keeps them equal to the table (`npx vitest run test/unit/api-types.test.ts --update` writes).
 */
import type { Field, ObjectType, TypeTable } from '../../src/api/schema/types.js';

/** Types that are written by hand, with narrower unions than the table knows. */
export type HandWritten = ReadonlyMap<string, string>;

const scalars: Record<string, string> = {
  string: 'string',
  bytes: 'string',
  int32: 'number',
  int64: 'number',
  uint64: 'number',
  bool: 'boolean',
  double: 'number',
  quantity: 'string',
  'int-or-string': 'number | string',
  time: 'string',
  'micro-time': 'string',
  duration: 'string',
  fields: 'object',
  raw: 'Record<string, unknown>',
  json: 'unknown',
  strings: 'string[]',
};

/** `core.v1.Pod` → `core-v1`. */
export const fileOf = (type: string): string => type.split('.').slice(0, 2).join('-');
const shortName = (type: string): string => type.slice(type.lastIndexOf('.') + 1);

/** The text of one file; `undefined` if all of the package is written by hand. */
export function renderPackage(table: TypeTable, file: string, handWritten: HandWritten): string | undefined {
  const own = [...table.values()].filter(({ name }) => fileOf(name) === file && !handWritten.has(name));
  if (own.length === 0) return undefined;
  const imports = new Map<string, Set<string>>();
  const use = (type: string): string => {
    const from = handWritten.get(type) ?? (fileOf(type) === file ? undefined : `./${fileOf(type)}.js`);
    if (from) imports.set(from, (imports.get(from) ?? new Set()).add(shortName(type)));
    return shortName(type);
  };
  const bodies = own.map(type => renderType(type, use));
  if (bodies.some(body => body.includes('extends KubeObject')))
    imports.set('../meta.js', (imports.get('../meta.js') ?? new Set()).add('KubeObject'));
  const lines = [...imports]
    .sort(([a], [b]) => (a.replaceAll('.', '') < b.replaceAll('.', '') ? -1 : 1))
    .sort(([a], [b]) => Number(b.startsWith('..')) - Number(a.startsWith('..')))
    .map(([from, names]) => importLine([...names].sort(), from));
  const head = `/** ${file.replace(/-(?=v\d)/, '/')}, from the table of API facts (src/api/schema). Do not edit: see test/helpers/typescript-types.ts. */`;
  return `${[head, ...lines].join('\n')}\n\n${bodies.join('\n\n')}\n`;
}

const lineWidth = 120;

function importLine(names: readonly string[], from: string): string {
  const line = `import type { ${names.join(', ')} } from '${from}';`;
  return line.length <= lineWidth
    ? line
    : `import type {\n${names.map(name => `  ${name},\n`).join('')}} from '${from}';`;
}

function renderType({ name, byName }: ObjectType, use: (type: string) => string): string {
  const fields = [...byName.values()];
  const isObject = fields.some(
    field => field.name === 'metadata' && field.of === 'meta.v1.ObjectMeta' && name !== 'core.v1.PodTemplateSpec',
  );
  const shown = isObject ? fields.filter(field => field.name !== 'metadata') : fields;
  const head = `export interface ${shortName(name)}${isObject ? ' extends KubeObject' : ''} {`;
  if (shown.length === 0 && !isObject) return `export type ${shortName(name)} = object;`;
  return shown.length === 0
    ? `${head}}`
    : `${head}\n${shown.map(field => `  ${renderField(field, use)}`).join('\n')}\n}`;
}

function renderField(field: Field, use: (type: string) => string): string {
  const name = /^[A-Za-z]\w*$/.test(field.name) ? field.name : `'${field.name}'`;
  const isRequired = field.required && field.shape === 'one';
  return `${name}${isRequired ? '' : '?'}: ${typeOf(field, use)};`;
}

function typeOf(field: Field, use: (type: string) => string): string {
  const one =
    field.of === 'meta.v1.ObjectMeta' ? `Partial<${use(field.of)}>` : field.scalar ? scalars[field.of]! : use(field.of);
  if (field.shape === 'list') return one.includes(' ') ? `(${one})[]` : `${one}[]`;
  return field.shape === 'map' ? `Record<string, ${one}>` : one;
}
