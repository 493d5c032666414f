/** What is wrong with a CustomResourceDefinition. Pure. */
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
} from '../../kube/api/apiextensions-v1.js';
import { dns1035Problems, subdomainProblems } from '../../kube/names.js';
import { duplicate, type FieldError, forbiddenField, invalid, notSupported, required } from '../errors.js';
import { parseJsonPath } from './json-path.js';
import { schemaErrors } from './schema.js';

export function definitionErrors({ metadata, spec }: CustomResourceDefinition): FieldError[] {
  if (!spec) return [required('spec')];
  const { group, names, scope, versions = [] } = spec;
  const wanted = `${names?.plural}.${group}`;
  return [
    ...(metadata.name === wanted
      ? []
      : [invalid('metadata.name', metadata.name, 'must be spec.names.plural+"."+spec.group')]),
    ...(group ? groupErrors(group, metadata.annotations) : [required('spec.group')]),
    ...namesErrors(names ?? {}),
    ...(scope ? (scopes.includes(scope) ? [] : [notSupported('spec.scope', scope, scopes)]) : [required('spec.scope')]),
    ...versionsErrors(versions),
    ...conversionErrors(spec),
    ...(spec.preserveUnknownFields
      ? [invalid('spec.preserveUnknownFields', true, 'must be false in order to use defaults in the schema')]
      : []),
  ];
}

const scopes = ['Cluster', 'Namespaced'];
const approval = 'api-approved.kubernetes.io';

function groupErrors(group: string, annotations: Readonly<Record<string, string>> = {}): FieldError[] {
  const problems = subdomainProblems(group).map(why => invalid('spec.group', group, why));
  if (!group.includes('.')) problems.push(invalid('spec.group', group, 'should be a domain with at least one dot'));
  const isProtected = /(^|\.)(k8s|kubernetes)\.io$/.test(group);
  if (isProtected && !annotations[approval])
    problems.push(
      required(
        `metadata.annotations[${approval}]`,
        'protected groups must have approval annotation "api-approved.kubernetes.io"',
      ),
    );
  return problems;
}

function namesErrors(names: Partial<CustomResourceDefinitionNames>): FieldError[] {
  const word = (field: string, value: string | undefined): FieldError[] =>
    value
      ? dns1035Problems(value).map(why => invalid(`spec.names.${field}`, value, why))
      : [required(`spec.names.${field}`)];
  return [
    ...word('plural', names.plural),
    ...(names.kind
      ? dns1035Problems(names.kind.toLowerCase()).map(why => invalid('spec.names.kind', names.kind, why))
      : [required('spec.names.kind')]),
    ...(names.singular ? word('singular', names.singular) : []),
    ...(names.shortNames ?? []).flatMap((name, i) =>
      dns1035Problems(name).map(why => invalid(`spec.names.shortNames[${i}]`, name, why)),
    ),
    ...(names.listKind && names.listKind === names.kind
      ? [invalid('spec.names.listKind', names.listKind, 'kind and listKind may not be the same')]
      : []),
  ];
}

function versionsErrors(versions: readonly CustomResourceDefinitionVersion[]): FieldError[] {
  if (versions.length === 0) return [required('spec.versions')];
  const stored = versions.filter(({ storage }) => storage).length;
  const seen = new Set<string>();
  return [
    ...(stored === 1
      ? []
      : [
          invalid(
            'spec.versions',
            versions.map(({ name }) => name),
            'must have exactly one version marked as storage version',
          ),
        ]),
    ...versions.flatMap((version, i) => {
      const repeated = seen.has(version.name);
      seen.add(version.name);
      return [
        ...(repeated ? [duplicate(`spec.versions[${i}].name`, version.name)] : []),
        ...versionErrors(version, `spec.versions[${i}]`),
      ];
    }),
  ];
}

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string'];

function versionErrors(version: CustomResourceDefinitionVersion, path: string): FieldError[] {
  const schema = version.schema?.openAPIV3Schema;
  const scale = version.subresources?.scale;
  return [
    ...(version.name
      ? dns1035Problems(version.name).map(why => invalid(`${path}.name`, version.name, why))
      : [required(`${path}.name`)]),
    ...(schema === undefined
      ? [required(`${path}.schema.openAPIV3Schema`, 'schemas are required')]
      : schemaErrors(schema, `${path}.schema.openAPIV3Schema`)),
    ...(version.additionalPrinterColumns ?? []).flatMap((column, i) => {
      const here = `${path}.additionalPrinterColumns[${i}]`;
      return [
        ...(column.name ? [] : [required(`${here}.name`)]),
        ...(columnTypes.includes(column.type) ? [] : [notSupported(`${here}.type`, column.type ?? '', columnTypes)]),
        ...pathErrors(`${here}.jsonPath`, column.jsonPath),
      ];
    }),
    ...(scale
      ? [
          ...namesOnly(`${path}.subresources.scale.specReplicasPath`, scale.specReplicasPath, '.spec'),
          ...namesOnly(`${path}.subresources.scale.statusReplicasPath`, scale.statusReplicasPath, '.status'),
        ]
      : []),
    ...(version.selectableFields ?? []).flatMap(({ jsonPath }, i) =>
      pathErrors(`${path}.selectableFields[${i}].jsonPath`, jsonPath),
    ),
  ];
}

function pathErrors(field: string, path: string | undefined): FieldError[] {
  if (!path) return [required(field)];
  return parseJsonPath(path) ? [] : [invalid(field, path, 'must be a simple json path such as .spec.name')];
}

function namesOnly(field: string, path: string | undefined, root: string): FieldError[] {
  if (!path) return [required(field)];
  return new RegExp(`^\\${root}(\\.[A-Za-z_][\\w-]*)+$`).test(path)
    ? []
    : [invalid(field, path, `should be a json path under ${root}`)];
}

function conversionErrors({ conversion }: CustomResourceDefinition['spec']): FieldError[] {
  if (!conversion || conversion.strategy === 'None') return [];
  if (conversion.strategy === 'Webhook')
    return [
      forbiddenField(
        'spec.conversion.strategy',
        'conversion by webhook is not served; versions may differ in their name only (None)',
      ),
    ];
  return [notSupported('spec.conversion.strategy', conversion.strategy, ['None'])];
}
