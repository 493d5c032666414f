/** admissionregistration.k8s.io/v1. */
export const admissionTypes = `
package admissionregistration.v1
ValidatingWebhookConfiguration
  1 metadata meta.v1.ObjectMeta
  2 webhooks list:ValidatingWebhook merge=name keys=name
ValidatingWebhook
  1 name string required always
  2 clientConfig WebhookClientConfig required always
  3 rules list:RuleWithOperations
  4 failurePolicy string pointer
  9 matchPolicy string pointer
  5 namespaceSelector meta.v1.LabelSelector pointer
  10 objectSelector meta.v1.LabelSelector pointer
  6 sideEffects string required pointer always
  7 timeoutSeconds int32 pointer
  8 admissionReviewVersions list:string required always
  11 matchConditions list:MatchCondition merge=name keys=name
WebhookClientConfig
  3 url string pointer
  1 service ServiceReference pointer
  2 caBundle bytes
ServiceReference
  1 namespace string required always
  2 name string required always
  3 path string pointer
  4 port int32 pointer
RuleWithOperations
  1 operations list:string
  2 rule Rule inline
Rule
  1 apiGroups list:string
  2 apiVersions list:string
  3 resources list:string
  4 scope string pointer
MatchCondition
  1 name string required always
  2 expression string required always
MutatingWebhookConfiguration
  1 metadata meta.v1.ObjectMeta
  2 webhooks list:MutatingWebhook merge=name keys=name
MutatingWebhook
  1 name string required always
  2 clientConfig WebhookClientConfig required always
  3 rules list:RuleWithOperations
  4 failurePolicy string pointer
  9 matchPolicy string pointer
  5 namespaceSelector meta.v1.LabelSelector pointer
  11 objectSelector meta.v1.LabelSelector pointer
  6 sideEffects string required pointer always
  7 timeoutSeconds int32 pointer
  8 admissionReviewVersions list:string required always
  10 reinvocationPolicy string pointer
  12 matchConditions list:MatchCondition merge=name keys=name
`;
