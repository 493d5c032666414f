/** The Status that subresources without an object of their own answer with. */
export const success = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' } as const;
