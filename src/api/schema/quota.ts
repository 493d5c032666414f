/** core/v1 ResourceQuota and LimitRange. */
export const quotaTypes = `
package core.v1
ResourceQuota
  1 metadata meta.v1.ObjectMeta
  2 spec ResourceQuotaSpec
  3 status ResourceQuotaStatus
ResourceQuotaSpec
  1 hard map:quantity
  2 scopes list:string
  3 scopeSelector ScopeSelector pointer
ScopeSelector atomic
  1 matchExpressions list:ScopedResourceSelectorRequirement
ScopedResourceSelectorRequirement
  1 scopeName string required always
  2 operator string required always
  3 values list:string
ResourceQuotaStatus
  1 hard map:quantity
  2 used map:quantity
LimitRange
  1 metadata meta.v1.ObjectMeta
  2 spec LimitRangeSpec
LimitRangeSpec
  1 limits list:LimitRangeItem required always
LimitRangeItem
  1 type string required always
  2 max map:quantity
  3 min map:quantity
  4 default map:quantity
  5 defaultRequest map:quantity
  6 maxLimitRequestRatio map:quantity
`;
