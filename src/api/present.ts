/** Objects in the form a client wants: as they are, as rows of a Table, or as metadata only. Pure. */
import type { AnyObject, Kind } from './kind.js';
import type { Wanted } from './negotiate.js';
import type { ViewEntry } from './view.js';

export type IncludeObject = 'None' | 'Metadata' | 'Object';

interface ListMeta {
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

export function tableOf(
  kind: Kind,
  entries: readonly ViewEntry[],
  meta: ListMeta,
  wanted: Wanted,
  include: IncludeObject,
  now: number,
  withColumns = true,
): object {
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${wanted.version}`,
    metadata: meta,
    columnDefinitions: withColumns
      ? kind.columns.map(({ name, type, format = '', priority = 0, description = '' }) => ({
          name,
          type,
          format,
          description,
          priority,
        }))
      : null,
    rows: entries.map(entry => row(kind, entry.object, wanted, include, now)),
  };
}

function row(kind: Kind, object: AnyObject, wanted: Wanted, include: IncludeObject, now: number): object {
  const conditions = kind.rowConditions?.(object) ?? [];
  return {
    cells: kind.columns.map(column => column.cell(object, now)),
    ...(conditions.length > 0 && { conditions }),
    object: include === 'None' ? null : include === 'Object' ? object : partial(object, wanted),
  };
}

export function partial(object: AnyObject, wanted: Wanted): object {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${wanted.version}`, metadata: object.metadata };
}

/** A List around the JSON of its items. */
export function listJson(apiVersion: string, listKind: string, items: Buffer, meta: ListMeta): Buffer {
  const head = `{"kind":"${listKind}","apiVersion":"${apiVersion}","metadata":${JSON.stringify(meta)},"items":[`;
  return Buffer.concat([Buffer.from(head), items, tail]);
}

const tail = Buffer.from(']}');
