/** The IngressClass of Ingresses that name none (Kubernetes' admission plugin DefaultIngressClass). */
import type { Ingress } from '../../kube/api/networking-v1.js';
import type { Engine } from '../engine.js';
import type { AnyObject, Kind } from '../kind.js';
import { youngestFirst } from '../volume/default-class.js';

const annotation = 'ingressclass.kubernetes.io/is-default-class';
const legacyAnnotation = 'kubernetes.io/ingress.class';

/** The default class, the youngest if there are several; none for those that name theirs in the old way. In place. */
export function assignIngressClass({ view }: Engine, kind: Kind, object: AnyObject): readonly [] {
  if (kind.kind !== 'Ingress' || kind.group !== 'networking.k8s.io') return [];
  const ingress = object as unknown as Ingress;
  if (ingress.spec?.ingressClassName !== undefined) return [];
  if (ingress.metadata.annotations?.[legacyAnnotation] !== undefined) return [];
  const [chosen] = view
    .list('IngressClass')
    .filter(({ metadata }) => metadata.annotations?.[annotation] === 'true')
    .sort(youngestFirst);
  if (chosen) ingress.spec = { ...ingress.spec, ingressClassName: chosen.metadata.name };
  return [];
}
