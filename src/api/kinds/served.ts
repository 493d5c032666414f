/** Subresources that many kinds have in the same way. */
export const statusSubresource = { name: 'status', verbs: ['get', 'patch', 'update'] } as const;

export const scaleSubresource = {
  name: 'scale',
  responseKind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
  verbs: ['get', 'patch', 'update'],
} as const;
