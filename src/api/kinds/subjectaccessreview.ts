/** authorization.k8s.io/v1 SubjectAccessReview. */
import { reviewAccess } from '../auth/access-reviews.js';
import { nameColumn } from '../columns.js';
import type { Kind } from '../kind.js';

export const subjectAccessReview: Kind = {
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SubjectAccessReview',
  plural: 'subjectaccessreviews',
  singular: 'subjectaccessreview',
  namespaced: false,
  type: 'authorization.v1.SubjectAccessReview',
  description: 'SubjectAccessReview asks whether somebody may do something.',
  verbs: ['create'],
  columns: [nameColumn],
  review: reviewAccess,
};
