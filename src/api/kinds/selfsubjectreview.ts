/** authentication.k8s.io/v1 SelfSubjectReview. */
import { reviewSelf } from '../auth/token-reviews.js';
import { nameColumn } from '../columns.js';
import type { Kind } from '../kind.js';

export const selfSubjectReview: Kind = {
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectReview',
  plural: 'selfsubjectreviews',
  singular: 'selfsubjectreview',
  namespaced: false,
  type: 'authentication.v1.SelfSubjectReview',
  description: 'SelfSubjectReview says who the server takes you for.',
  verbs: ['create'],
  columns: [nameColumn],
  review: reviewSelf,
};
