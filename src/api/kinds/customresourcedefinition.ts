/** apiextensions.k8s.io/v1 CustomResourceDefinition. */
import type { CustomResourceDefinition } from '../../kube/api/apiextensions-v1.js';
import { createdColumn, nameColumn } from '../columns.js';
import { definitionErrors } from '../custom/definition.js';
import { invalid } from '../errors.js';
import type { AnyObject, Kind } from '../kind.js';
import { statusSubresource } from './served.js';

const asDefinition = (object: AnyObject): CustomResourceDefinition => object as unknown as CustomResourceDefinition;
const cleanup = 'customresourcecleanup.apiextensions.k8s.io';

export const customResourceDefinition: Kind = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  singular: 'customresourcedefinition',
  namespaced: false,
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  type: 'apiextensions.v1.CustomResourceDefinition',
  description: 'CustomResourceDefinition adds a kind of your own to the API.',
  columns: [nameColumn, createdColumn],
  hasStatus: true,
  subresources: [statusSubresource],
  defaults: object => {
    const { spec } = asDefinition(object);
    if (!spec?.names) return;
    spec.names.singular ||= spec.names.kind?.toLowerCase();
    spec.names.listKind ||= `${spec.names.kind}List`;
    spec.conversion ??= { strategy: 'None' };
  },
  prepareCreate: object => {
    const stored = (asDefinition(object).spec?.versions ?? []).filter(({ storage }) => storage).map(({ name }) => name);
    object.status = { conditions: [], acceptedNames: { plural: '', kind: '' }, storedVersions: stored };
    // its objects go before it does
    object.metadata.finalizers = [...new Set([...(object.metadata.finalizers ?? []), cleanup])];
  },
  validate: object => definitionErrors(asDefinition(object)),
  validateUpdate: (next, old) => {
    const [after, before] = [asDefinition(next).spec, asDefinition(old).spec];
    return [
      ...(after.group === before.group ? [] : [invalid('spec.group', after.group, 'field is immutable')]),
      ...(after.scope === before.scope ? [] : [invalid('spec.scope', after.scope, 'field is immutable')]),
      ...(after.names.plural === before.names.plural
        ? []
        : [invalid('spec.names.plural', after.names.plural, 'field is immutable')]),
      ...(after.names.kind === before.names.kind
        ? []
        : [invalid('spec.names.kind', after.names.kind, 'field is immutable')]),
    ];
  },
};
