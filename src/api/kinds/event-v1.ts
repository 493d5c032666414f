/** events.k8s.io/v1 Event: another face of the stored core Event, with newer names for the same fields. */
import type { Event as CoreEvent } from '../../kube/api/core-v1.js';
import type { Event } from '../../kube/api/events-v1.js';
import { at, clone } from '../../kube/json.js';
import type { AnyObject, Kind } from '../kind.js';
import { event } from './event.js';

const text = (object: AnyObject, ...path: string[]): string => String(at(object, ...path) ?? '');

export const eventV1: Kind = {
  ...event,
  group: 'events.k8s.io',
  type: 'events.v1.Event',
  conversion: { stored: { group: '', version: 'v1', kind: 'Event' }, fromStored: fromCore, toStored: toCore },
  columns: event.columns.map(column => ({ ...column, cell: (object, now) => column.cell(toCore(object), now) })),
  fieldLabels: {
    reason: object => text(object, 'reason'),
    type: object => text(object, 'type'),
    reportingController: object => text(object, 'reportingController'),
    'regarding.kind': object => text(object, 'regarding', 'kind'),
    'regarding.namespace': object => text(object, 'regarding', 'namespace'),
    'regarding.name': object => text(object, 'regarding', 'name'),
    'regarding.uid': object => text(object, 'regarding', 'uid'),
    'regarding.apiVersion': object => text(object, 'regarding', 'apiVersion'),
    'regarding.resourceVersion': object => text(object, 'regarding', 'resourceVersion'),
    'regarding.fieldPath': object => text(object, 'regarding', 'fieldPath'),
  },
};

function fromCore(object: AnyObject): AnyObject {
  const core = clone(object) as unknown as CoreEvent;
  return present({
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: core.metadata,
    eventTime: core.eventTime ?? null,
    series: core.series,
    reportingController: core.reportingComponent,
    reportingInstance: core.reportingInstance,
    action: core.action,
    reason: core.reason,
    regarding: core.involvedObject,
    related: core.related,
    note: core.message,
    type: core.type,
    deprecatedSource: core.source,
    deprecatedFirstTimestamp: core.firstTimestamp,
    deprecatedLastTimestamp: core.lastTimestamp,
    deprecatedCount: core.count,
  });
}

function toCore(object: AnyObject): AnyObject {
  const given = clone(object) as unknown as Event;
  return present({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: given.metadata,
    involvedObject: given.regarding ?? {},
    reason: given.reason,
    message: given.note,
    source: given.deprecatedSource,
    firstTimestamp: given.deprecatedFirstTimestamp,
    lastTimestamp: given.deprecatedLastTimestamp,
    count: given.deprecatedCount,
    type: given.type,
    eventTime: given.eventTime ?? undefined,
    series: given.series,
    action: given.action,
    related: given.related,
    reportingComponent: given.reportingController ?? '',
    reportingInstance: given.reportingInstance ?? '',
  });
}

function present(object: Readonly<Record<string, unknown>>): AnyObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as unknown as AnyObject;
}
