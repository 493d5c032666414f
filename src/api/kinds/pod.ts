/** core/v1 Pod. */
import type { Pod } from '../../kube/pod.js';
import { qosClass } from '../../kube/qos.js';
import type { AnyObject, Kind } from '../kind.js';
import { podColumns, podRowConditions } from '../pod/columns.js';
import { defaultPod } from '../pod/defaults.js';
import { validatePod, validatePodUpdate } from '../pod/validate.js';

const asPod = (object: AnyObject): Pod => object as unknown as Pod;
const status = ['get', 'patch', 'update'];
const core = (kind: string) => ({ group: '', version: 'v1', kind });

export const pod: Kind = {
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  singular: 'pod',
  namespaced: true,
  shortNames: ['po'],
  categories: ['all'],
  type: 'core.v1.Pod',
  description: 'Pod is a collection of containers that run together on one node, with one network and shared volumes.',
  columns: podColumns,
  rowConditions: podRowConditions,
  hasStatus: true,
  subresources: [
    { name: 'attach', responseKind: core('PodAttachOptions'), verbs: ['create', 'get'] },
    { name: 'binding', responseKind: core('Binding'), verbs: ['create'] },
    { name: 'ephemeralcontainers', verbs: status },
    { name: 'eviction', responseKind: { group: 'policy', version: 'v1', kind: 'Eviction' }, verbs: ['create'] },
    { name: 'exec', responseKind: core('PodExecOptions'), verbs: ['create', 'get'] },
    { name: 'log', verbs: ['get'] },
    { name: 'portforward', responseKind: core('PodPortForwardOptions'), verbs: ['create', 'get'] },
    { name: 'proxy', responseKind: core('PodProxyOptions'), verbs: ['create', 'delete', 'get', 'patch', 'update'] },
    { name: 'resize', verbs: status },
    { name: 'status', verbs: status },
  ],
  defaults: object => {
    object.spec ??= {};
    defaultPod(asPod(object));
  },
  prepareCreate: object => {
    object.status = { phase: 'Pending', qosClass: qosClass(asPod(object).spec) };
  },
  validate: object => validatePod(asPod(object)),
  validateUpdate: (next, old) => validatePodUpdate(asPod(next), asPod(old)),
  graceSeconds: (object, requested) => {
    const { spec, status } = asPod(object);
    // nobody runs it: there is nothing to stop
    if (!spec.nodeName || status?.phase === 'Succeeded' || status?.phase === 'Failed') return 0;
    const seconds = requested ?? spec.terminationGracePeriodSeconds ?? 30;
    return seconds < 0 ? 1 : seconds;
  },
  fieldLabels: {
    'spec.nodeName': object => asPod(object).spec.nodeName ?? '',
    'spec.restartPolicy': object => asPod(object).spec.restartPolicy ?? '',
    'spec.schedulerName': object => asPod(object).spec.schedulerName ?? '',
    'spec.serviceAccountName': object => asPod(object).spec.serviceAccountName ?? '',
    'spec.hostNetwork': object => String(asPod(object).spec.hostNetwork ?? false),
    'status.phase': object => asPod(object).status?.phase ?? '',
    'status.podIP': object => asPod(object).status?.podIP ?? '',
    'status.podIPs': object => (asPod(object).status?.podIPs ?? []).map(({ ip }) => ip).join(','),
    'status.nominatedNodeName': object => asPod(object).status?.nominatedNodeName ?? '',
  },
};
