/** admissionregistration.k8s.io/v1 MutatingWebhookConfiguration. */
import { defaultWebhooks, webhookErrors } from '../admission/webhook-config.js';
import { ageColumn, nameColumn, numberColumn } from '../columns.js';
import type { Kind } from '../kind.js';

export const mutatingWebhookConfiguration: Kind = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'MutatingWebhookConfiguration',
  plural: 'mutatingwebhookconfigurations',
  singular: 'mutatingwebhookconfiguration',
  namespaced: false,
  categories: ['api-extensions'],
  type: 'admissionregistration.v1.MutatingWebhookConfiguration',
  description: 'MutatingWebhookConfiguration names web services that may change objects before they are stored.',
  columns: [
    nameColumn,
    numberColumn('Webhooks', object => (object.webhooks as unknown[] | undefined)?.length ?? 0),
    ageColumn,
  ],
  defaults: object => defaultWebhooks(object, true),
  validate: webhookErrors,
};
