/** authorization.k8s.io/v1 LocalSubjectAccessReview. */
import { reviewLocalAccess } from '../auth/access-reviews.js';
import { nameColumn } from '../columns.js';
import type { Kind } from '../kind.js';

export const localSubjectAccessReview: Kind = {
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'LocalSubjectAccessReview',
  plural: 'localsubjectaccessreviews',
  singular: 'localsubjectaccessreview',
  namespaced: true,
  type: 'authorization.v1.LocalSubjectAccessReview',
  description: 'LocalSubjectAccessReview asks whether somebody may do something in one namespace.',
  verbs: ['create'],
  columns: [nameColumn],
  review: reviewLocalAccess,
};
