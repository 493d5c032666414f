/** `…/pods/NAME/ephemeralcontainers`: how kubectl debug adds a container to a pod that runs. */
import { clone } from '../../kube/json.js';
import type { Pod } from '../../kube/pod.js';
import type { AnyObject } from '../kind.js';
import { validateEphemeralUpdate } from '../pod/validate-ephemeral.js';
import type { Part } from './part.js';

export const ephemeralContainers: Part = {
  narrow: (old, changed) => {
    const next = clone(old) as AnyObject & { spec: Pod['spec'] };
    const { resourceVersion } = changed.metadata ?? {};
    const { ephemeralContainers: added } = (changed as unknown as Pod).spec ?? {};
    if (added) next.spec.ephemeralContainers = clone(added);
    else delete next.spec.ephemeralContainers;
    if (resourceVersion) next.metadata.resourceVersion = resourceVersion;
    else delete next.metadata.resourceVersion;
    return next;
  },
  validateUpdate: (next, old) => validateEphemeralUpdate(next as unknown as Pod, old as unknown as Pod),
};
