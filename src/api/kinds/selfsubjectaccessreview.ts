/** authorization.k8s.io/v1 SelfSubjectAccessReview. */
import { reviewOwnAccess } from '../auth/access-reviews.js';
import { nameColumn } from '../columns.js';
import type { Kind } from '../kind.js';

export const selfSubjectAccessReview: Kind = {
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectAccessReview',
  plural: 'selfsubjectaccessreviews',
  singular: 'selfsubjectaccessreview',
  namespaced: false,
  type: 'authorization.v1.SelfSubjectAccessReview',
  description: 'SelfSubjectAccessReview asks whether you may do something.',
  verbs: ['create'],
  columns: [nameColumn],
  review: reviewOwnAccess,
};
