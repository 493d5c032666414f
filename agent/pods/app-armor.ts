/** AppArmor: this node enforces no profile, so a pod that asks for one is rejected (kubelet's apparmor.Validator). Pure. */
import type { AppArmorProfile } from '../../src/kube/api/core-v1.js';
import type { Pod } from '../../src/kube/pod.js';
import { allContainers } from './facts.js';

/** Before there were fields: `container.apparmor.security.beta.kubernetes.io/NAME: localhost/PROFILE`. */
const annotation = 'container.apparmor.security.beta.kubernetes.io/';

const enforced = (profile: AppArmorProfile | undefined): boolean =>
  profile !== undefined && profile.type !== 'Unconfined';

export function wantsAppArmor(pod: Pod): boolean {
  const annotated = Object.entries(pod.metadata.annotations ?? {}).some(
    ([name, value]) => name.startsWith(annotation) && value !== 'unconfined',
  );
  return (
    annotated ||
    enforced(pod.spec.securityContext?.appArmorProfile) ||
    allContainers(pod).some(({ securityContext }) => enforced(securityContext?.appArmorProfile))
  );
}
