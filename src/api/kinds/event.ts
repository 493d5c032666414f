/** core/v1 Event: what happened to an object, kept for an hour. */
import { at } from '../../kube/json.js';
import type { KubeEvent } from '../../kube/node.js';
import { age } from '../../kube/time.js';
import { column, numberColumn } from '../columns.js';
import { invalid, required } from '../errors.js';
import type { AnyObject, Kind } from '../kind.js';

const asEvent = (object: AnyObject): KubeEvent => object as unknown as KubeEvent;
const text = (object: AnyObject, ...path: string[]): string => String(at(object, ...path) ?? '');
const about = (field: string) => (object: AnyObject) => text(object, 'involvedObject', field);

export const event: Kind = {
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  singular: 'event',
  namespaced: true,
  shortNames: ['ev'],
  type: 'core.v1.Event',
  description: 'Event tells what happened to an object. Events are forgotten after an hour.',
  columns: [
    column('Last Seen', (object, now) => lastSeen(asEvent(object), now)),
    column('Type', object => text(object, 'type')),
    column('Reason', object => text(object, 'reason')),
    column('Object', object => aboutText(asEvent(object))),
    column('Subobject', object => about('fieldPath')(object), 1),
    column('Source', object => sourceText(asEvent(object)), 1),
    column('Message', object => text(object, 'message').trim()),
    column('First Seen', (object, now) => firstSeen(asEvent(object), now), 1),
    numberColumn('Count', object => asEvent(object).count || 1, 1),
    column('Name', object => object.metadata.name, 1),
  ],
  validate: object => {
    const { involvedObject, metadata } = asEvent(object);
    if (!involvedObject) return [required('involvedObject')];
    const namespace = involvedObject.namespace || 'default';
    return namespace === metadata.namespace
      ? []
      : [invalid('involvedObject.namespace', involvedObject.namespace ?? '', 'does not match event.namespace')];
  },
  fieldLabels: {
    'involvedObject.kind': about('kind'),
    'involvedObject.namespace': about('namespace'),
    'involvedObject.name': about('name'),
    'involvedObject.uid': about('uid'),
    'involvedObject.apiVersion': about('apiVersion'),
    'involvedObject.resourceVersion': about('resourceVersion'),
    'involvedObject.fieldPath': about('fieldPath'),
    reason: object => text(object, 'reason'),
    reportingComponent: object => text(object, 'reportingComponent'),
    source: object => text(object, 'source', 'component') || text(object, 'reportingComponent'),
    type: object => text(object, 'type'),
  },
};

function lastSeen({ lastTimestamp, eventTime, firstTimestamp }: KubeEvent, now: number): string {
  return age(lastTimestamp ?? eventTime ?? firstTimestamp, now);
}

function firstSeen({ firstTimestamp, eventTime }: KubeEvent, now: number): string {
  return age(firstTimestamp ?? eventTime, now);
}

function aboutText({ involvedObject }: KubeEvent): string {
  return `${involvedObject.kind.toLowerCase()}/${involvedObject.name}`;
}

function sourceText({ source, reportingComponent, reportingInstance }: KubeEvent): string {
  const component = source?.component || reportingComponent || '';
  const host = source?.host || reportingInstance || '';
  return host ? `${component}, ${host}` : component;
}
