/** core/v1 PodTemplate: a template on its own, for other tools to use. */
import type { PodTemplate } from '../../kube/api/core-v1.js';
import { nameColumn } from '../columns.js';
import type { AnyObject, Kind } from '../kind.js';
import { labelsColumn, templateColumns } from '../workload/columns.js';
import { defaultTemplate } from '../workload/defaults.js';
import { validateTemplate } from '../workload/validate-template.js';

const asTemplate = (object: AnyObject): PodTemplate => object as unknown as PodTemplate;

export const podTemplate: Kind = {
  group: '',
  version: 'v1',
  kind: 'PodTemplate',
  plural: 'podtemplates',
  singular: 'podtemplate',
  namespaced: true,
  type: 'core.v1.PodTemplate',
  description: 'PodTemplate is a pattern for pods, kept for other programs.',
  columns: [
    nameColumn,
    ...templateColumns(object => asTemplate(object).template, 0),
    labelsColumn('Pod Labels', object => asTemplate(object).template?.metadata?.labels),
  ],
  defaults: object => {
    const template = asTemplate(object);
    template.template ??= {};
    defaultTemplate(template.template);
  },
  validate: object => validateTemplate(asTemplate(object).template ?? {}, 'template'),
};
