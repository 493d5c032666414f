/** apiextensions.k8s.io/v1. A schema is checked by custom/schema.ts and is plain JSON here. */
export const customResourceTypes = `
package apiextensions.v1
CustomResourceDefinition
  1 metadata meta.v1.ObjectMeta
  2 spec CustomResourceDefinitionSpec required always
  3 status CustomResourceDefinitionStatus
CustomResourceDefinitionSpec
  1 group string required always
  3 names CustomResourceDefinitionNames required always
  4 scope string required always
  7 versions list:CustomResourceDefinitionVersion required always
  9 conversion CustomResourceConversion pointer
  10 preserveUnknownFields bool
CustomResourceDefinitionNames
  1 plural string required always
  2 singular string
  3 shortNames list:string
  4 kind string required always
  5 listKind string
  6 categories list:string
CustomResourceDefinitionVersion
  1 name string required always
  2 served bool required always
  3 storage bool required always
  7 deprecated bool
  8 deprecationWarning string pointer
  4 schema CustomResourceValidation pointer
  5 subresources CustomResourceSubresources pointer
  6 additionalPrinterColumns list:CustomResourceColumnDefinition
  9 selectableFields list:SelectableField
CustomResourceValidation
  1 openAPIV3Schema json pointer
CustomResourceSubresources
  1 status CustomResourceSubresourceStatus pointer
  2 scale CustomResourceSubresourceScale pointer
CustomResourceSubresourceStatus
CustomResourceSubresourceScale
  1 specReplicasPath string required always
  2 statusReplicasPath string required always
  3 labelSelectorPath string pointer
CustomResourceColumnDefinition
  1 name string required always
  2 type string required always
  3 format string
  4 description string
  5 priority int32
  6 jsonPath string required always
SelectableField
  1 jsonPath string required always
CustomResourceConversion
  1 strategy string required always
  2 webhook WebhookConversion pointer
WebhookConversion
  2 clientConfig WebhookClientConfig pointer
  3 conversionReviewVersions list:string required always
WebhookClientConfig
  3 url string pointer
  1 service ServiceReference pointer
  2 caBundle bytes
ServiceReference
  1 namespace string required always
  2 name string required always
  3 path string pointer
  4 port int32 pointer
CustomResourceDefinitionStatus
  1 conditions list:CustomResourceDefinitionCondition always keys=type
  2 acceptedNames CustomResourceDefinitionNames always
  3 storedVersions list:string always
  4 observedGeneration int64
CustomResourceDefinitionCondition
  1 type string required always
  2 status string required always
  3 lastTransitionTime time
  4 reason string
  5 message string
  6 observedGeneration int64
`;
