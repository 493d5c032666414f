/** certificates.k8s.io/v1. */
export const certificatesTypes = `
package certificates.v1
CertificateSigningRequest
  1 metadata meta.v1.ObjectMeta
  2 spec CertificateSigningRequestSpec required always
  3 status CertificateSigningRequestStatus
CertificateSigningRequestSpec
  1 request bytes required always
  7 signerName string required always
  8 expirationSeconds int32 pointer
  5 usages list:string
  2 username string
  3 uid string
  4 groups list:string
  6 extra map:strings
CertificateSigningRequestStatus
  1 conditions list:CertificateSigningRequestCondition keys=type
  2 certificate bytes
CertificateSigningRequestCondition
  1 type string required always
  6 status string required always
  2 reason string
  3 message string
  4 lastUpdateTime time
  5 lastTransitionTime time
`;
