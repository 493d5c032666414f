/** admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration. */
import { defaultWebhooks, webhookErrors } from '../admission/webhook-config.js';
import { ageColumn, nameColumn, numberColumn } from '../columns.js';
import type { Kind } from '../kind.js';

export const validatingWebhookConfiguration: Kind = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingWebhookConfiguration',
  plural: 'validatingwebhookconfigurations',
  singular: 'validatingwebhookconfiguration',
  namespaced: false,
  categories: ['api-extensions'],
  type: 'admissionregistration.v1.ValidatingWebhookConfiguration',
  description: 'ValidatingWebhookConfiguration names web services that may refuse objects before they are stored.',
  columns: [
    nameColumn,
    numberColumn('Webhooks', object => (object.webhooks as unknown[] | undefined)?.length ?? 0),
    ageColumn,
  ],
  defaults: object => defaultWebhooks(object, false),
  validate: webhookErrors,
};
