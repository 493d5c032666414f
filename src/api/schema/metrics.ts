/** metrics.k8s.io/v1beta1. */
export const metricsTypes = `
package metrics.v1beta1
NodeMetrics
  1 metadata meta.v1.ObjectMeta
  2 timestamp time required always
  3 window duration required always
  4 usage map:quantity required always
PodMetrics
  1 metadata meta.v1.ObjectMeta
  2 timestamp time required always
  3 window duration required always
  4 containers list:ContainerMetrics required always
ContainerMetrics
  1 name string required always
  2 usage map:quantity required always
`;
