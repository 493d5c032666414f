/** Role rules in one line each, so that the tables of default roles can be read. Pure. */
import type { PolicyRule } from '../../kube/api/rbac-v1.js';

export const readVerbs = 'get list watch';
export const writeVerbs = 'create delete deletecollection patch update';
export const allVerbs = 'create delete deletecollection get list patch update watch';

const words = (text: string): string[] => text.split(/\s+/).filter(Boolean);

/** `allow('get list', 'apps', 'deployments deployments/scale')`; groups `''` is the core group, several with `|`. */
export function allow(verbs: string, groups: string, resources: string, resourceNames?: string): PolicyRule {
  return {
    verbs: words(verbs),
    apiGroups: groups.split('|'),
    resources: words(resources),
    ...(resourceNames && { resourceNames: words(resourceNames) }),
  };
}

export const allowPaths = (verbs: string, urls: string): PolicyRule => ({
  verbs: words(verbs),
  nonResourceURLs: words(urls),
});
