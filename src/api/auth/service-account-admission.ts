/** A pod's ServiceAccount: who it runs as, with which pull secrets, and the volume by which it can prove that to the API. */
import { generatedSuffix } from '../../kube/names.js';
import type { Container, Pod, PodSpec, Volume } from '../../kube/pod.js';
import type { Engine } from '../engine.js';
import { forbidden } from '../errors.js';
import type { AnyObject, Kind } from '../kind.js';

const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount';
const mirror = 'kubernetes.io/config.mirror';
/** A little over an hour: kubelet's own number, by which the API knows tokens that are refreshed. */
const tokenSeconds = 3607;

type AccountPodSpec = PodSpec & {
  serviceAccount?: string;
  automountServiceAccountToken?: boolean;
  imagePullSecrets?: { name?: string }[];
};
type Account = AnyObject & {
  readonly automountServiceAccountToken?: boolean;
  readonly imagePullSecrets?: readonly { name?: string }[];
};

/** In place. Throws StatusError 403 for an account that is not there. */
export function admitServiceAccount({ view, random }: Engine, kind: Kind, object: AnyObject): void {
  const pod = object as unknown as Pod;
  // a static pod's mirror shows what runs already
  if (pod.metadata.annotations?.[mirror] !== undefined) return;
  const spec = pod.spec as AccountPodSpec;
  const name = spec.serviceAccountName || 'default';
  spec.serviceAccountName = name;
  spec.serviceAccount = name;
  const { namespace } = pod.metadata;
  const account = view.get('ServiceAccount', namespace, name) as Account | undefined;
  // `default` may still be on its way in a namespace just made
  if (!account && name !== 'default')
    throw forbidden(
      kind,
      pod.metadata.name,
      `error looking up service account ${namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`,
    );
  if (!spec.imagePullSecrets?.length && account?.imagePullSecrets?.length)
    spec.imagePullSecrets = account.imagePullSecrets.map(secret => ({ ...secret }));
  if (spec.automountServiceAccountToken ?? account?.automountServiceAccountToken ?? true) mountToken(spec, random);
}

function mountToken(spec: AccountPodSpec, random: () => number): void {
  const known = spec.volumes?.find(volume => volume.name?.startsWith('kube-api-access-'));
  const name = known?.name ?? `kube-api-access-${generatedSuffix(random)}`;
  const lacking = [...(spec.initContainers ?? []), ...(spec.containers ?? [])].filter(needsMount);
  if (lacking.length === 0) return;
  for (const container of lacking)
    container.volumeMounts = [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath }];
  if (!known) spec.volumes = [...(spec.volumes ?? []), accessVolume(name)];
}

const needsMount = ({ volumeMounts = [] }: Container): boolean =>
  !volumeMounts.some(mount => mount.mountPath === mountPath);

const accessVolume = (name: string): Volume => ({
  name,
  projected: {
    defaultMode: 0o644,
    sources: [
      { serviceAccountToken: { expirationSeconds: tokenSeconds, path: 'token' } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      {
        downwardAPI: {
          items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
        },
      },
    ],
  },
});
