/** authentication.k8s.io/v1 TokenReview. */
import { reviewToken } from '../auth/token-reviews.js';
import { nameColumn } from '../columns.js';
import type { Kind } from '../kind.js';

export const tokenReview: Kind = {
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'TokenReview',
  plural: 'tokenreviews',
  singular: 'tokenreview',
  namespaced: false,
  type: 'authentication.v1.TokenReview',
  description: 'TokenReview asks whose token that is.',
  verbs: ['create'],
  columns: [nameColumn],
  review: reviewToken,
};
