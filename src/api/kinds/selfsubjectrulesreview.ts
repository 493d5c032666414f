/** authorization.k8s.io/v1 SelfSubjectRulesReview. */
import { reviewOwnRules } from '../auth/access-reviews.js';
import { nameColumn } from '../columns.js';
import type { Kind } from '../kind.js';

export const selfSubjectRulesReview: Kind = {
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectRulesReview',
  plural: 'selfsubjectrulesreviews',
  singular: 'selfsubjectrulesreview',
  namespaced: false,
  type: 'authorization.v1.SelfSubjectRulesReview',
  description: 'SelfSubjectRulesReview lists what you may do in one namespace.',
  verbs: ['create'],
  columns: [nameColumn],
  review: reviewOwnRules,
};
