/** core/v1 Node. */
import type { Node } from '../../kube/node.js';
import { ageColumn, column, nameColumn } from '../columns.js';
import { duplicate, type FieldError, notSupported, required } from '../errors.js';
import type { AnyObject, Kind } from '../kind.js';

const asNode = (object: AnyObject): Node => object as unknown as Node;
const rolePrefix = 'node-role.kubernetes.io/';

export const node: Kind = {
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  singular: 'node',
  namespaced: false,
  shortNames: ['no'],
  type: 'core.v1.Node',
  description: 'Node is a machine that runs pods.',
  hasStatus: true,
  subresources: [{ name: 'status', verbs: ['get', 'patch', 'update'] }],
  columns: [
    nameColumn,
    column('Status', object => statusText(asNode(object))),
    column('Roles', object => rolesOf(asNode(object))),
    ageColumn,
    column('Version', object => asNode(object).status?.nodeInfo?.kubeletVersion ?? ''),
    column('Internal-IP', object => addressOf(asNode(object), 'InternalIP'), 1),
    column('External-IP', object => addressOf(asNode(object), 'ExternalIP'), 1),
    column('OS-Image', object => asNode(object).status?.nodeInfo?.osImage || '<unknown>', 1),
    column('Kernel-Version', object => asNode(object).status?.nodeInfo?.kernelVersion || '<unknown>', 1),
    column('Container-Runtime', object => asNode(object).status?.nodeInfo?.containerRuntimeVersion || '<unknown>', 1),
  ],
  defaults: object => {
    object.spec ??= {};
  },
  prepareCreate: object => {
    // a node may bring its status along when it registers itself
    object.status ??= {};
  },
  validate: object => validateTaints(asNode(object)),
  fieldLabels: { 'spec.unschedulable': object => String(asNode(object).spec?.unschedulable ?? false) },
};

function statusText({ spec, status }: Node): string {
  const ready = status?.conditions?.find(condition => condition.type === 'Ready')?.status;
  const text = ready === 'True' ? 'Ready' : ready === undefined ? 'Unknown' : 'NotReady';
  return spec?.unschedulable ? `${text},SchedulingDisabled` : text;
}

function rolesOf({ metadata }: Node): string {
  const roles = Object.entries(metadata.labels ?? {}).flatMap(([key, value]) =>
    key.startsWith(rolePrefix) ? [key.slice(rolePrefix.length)] : key === 'kubernetes.io/role' ? [value] : [],
  );
  return roles.filter(Boolean).sort().join(',') || '<none>';
}

function addressOf({ status }: Node, type: string): string {
  return status?.addresses?.find(address => address.type === type)?.address ?? '<none>';
}

const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

function validateTaints({ spec }: Node): FieldError[] {
  const seen = new Set<string>();
  return (spec?.taints ?? []).flatMap((taint, i) => {
    const path = `spec.taints[${i}]`;
    const name = `${taint.key}:${taint.effect}`;
    const repeated = seen.has(name);
    seen.add(name);
    return [
      ...(taint.key ? [] : [required(`${path}.key`)]),
      ...(effects.includes(taint.effect) ? [] : [notSupported(`${path}.effect`, taint.effect, effects)]),
      ...(repeated ? [duplicate(path, name)] : []),
    ];
  });
}
