/** authorization.k8s.io/v1. */
export const authorizationTypes = `
package authorization.v1
SubjectAccessReview
  1 metadata meta.v1.ObjectMeta
  2 spec SubjectAccessReviewSpec required always
  3 status SubjectAccessReviewStatus
SubjectAccessReviewSpec
  1 resourceAttributes ResourceAttributes pointer
  2 nonResourceAttributes NonResourceAttributes pointer
  3 user string
  4 groups list:string
  5 extra map:strings
  6 uid string
ResourceAttributes
  1 namespace string
  2 verb string
  3 group string
  4 version string
  5 resource string
  6 subresource string
  7 name string
  8 fieldSelector FieldSelectorAttributes pointer
  9 labelSelector LabelSelectorAttributes pointer
FieldSelectorAttributes
  1 rawSelector string
  2 requirements list:meta.v1.FieldSelectorRequirement
LabelSelectorAttributes
  1 rawSelector string
  2 requirements list:meta.v1.LabelSelectorRequirement
NonResourceAttributes
  1 path string
  2 verb string
SubjectAccessReviewStatus
  1 allowed bool required always
  4 denied bool
  2 reason string
  3 evaluationError string
LocalSubjectAccessReview
  1 metadata meta.v1.ObjectMeta
  2 spec SubjectAccessReviewSpec required always
  3 status SubjectAccessReviewStatus
SelfSubjectAccessReview
  1 metadata meta.v1.ObjectMeta
  2 spec SelfSubjectAccessReviewSpec required always
  3 status SubjectAccessReviewStatus
SelfSubjectAccessReviewSpec
  1 resourceAttributes ResourceAttributes pointer
  2 nonResourceAttributes NonResourceAttributes pointer
SelfSubjectRulesReview
  1 metadata meta.v1.ObjectMeta
  2 spec SelfSubjectRulesReviewSpec required always
  3 status SubjectRulesReviewStatus
SelfSubjectRulesReviewSpec
  1 namespace string
SubjectRulesReviewStatus
  1 resourceRules list:ResourceRule required always
  2 nonResourceRules list:NonResourceRule required always
  3 incomplete bool required always
  4 evaluationError string
ResourceRule
  1 verbs list:string required always
  2 apiGroups list:string
  3 resources list:string
  4 resourceNames list:string
NonResourceRule
  1 verbs list:string required always
  2 nonResourceURLs list:string
package meta.v1
FieldSelectorRequirement
  1 key string required always
  2 operator string required always
  3 values list:string
`;
