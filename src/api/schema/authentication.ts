/** authentication.k8s.io/v1. */
export const authenticationTypes = `
package authentication.v1
TokenReview
  1 metadata meta.v1.ObjectMeta
  2 spec TokenReviewSpec required always
  3 status TokenReviewStatus
TokenReviewSpec
  1 token string
  2 audiences list:string
TokenReviewStatus
  1 authenticated bool
  2 user UserInfo
  4 audiences list:string
  3 error string
UserInfo
  1 username string
  2 uid string
  3 groups list:string
  4 extra map:strings
SelfSubjectReview
  1 metadata meta.v1.ObjectMeta
  2 status SelfSubjectReviewStatus
SelfSubjectReviewStatus
  1 userInfo UserInfo
TokenRequest
  1 metadata meta.v1.ObjectMeta
  2 spec TokenRequestSpec required always
  3 status TokenRequestStatus
TokenRequestSpec
  1 audiences list:string required always
  4 expirationSeconds int64 pointer always
  3 boundObjectRef BoundObjectReference pointer always
BoundObjectReference
  1 kind string
  2 apiVersion string
  3 name string
  4 uid string
TokenRequestStatus
  1 token string required always
  2 expirationTimestamp time required always
`;
