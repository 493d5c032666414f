/** Request bodies: bytes of JSON, YAML or protobuf → a decoded object, or a Status that names the field. */
import { isObject } from '../kube/json.js';
import { badRequest, unsupportedMediaType } from './errors.js';
import { type AnyObject, apiVersionOf } from './kind.js';
import { type Decoded, DecodeError, decodeObject } from './schema/decode.js';
import { decodeProtobuf, ProtobufError, readEnvelope } from './schema/protobuf.js';
import { DepthError, findDuplicates } from './schema/scan.js';
import { readYaml } from './yaml.js';

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

/** What a body is expected to be. */
export interface Expected {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** Name in the schema table. */
  readonly type: string;
  /** How to decode what the table does not know. */
  readonly custom?: { readonly decode: (value: unknown) => Decoded };
}

export interface Read {
  readonly object: AnyObject;
  /** Complaints of strict decoding, for Warn. */
  readonly warnings: readonly string[];
}

const bodyTypes = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'] as const;

export const mediaType = (header: string | undefined): string => (header ?? '').split(';')[0]!.trim().toLowerCase();

/** Throws StatusError 400 or 415. */
export function readObject(
  expected: Expected,
  body: Buffer,
  contentType: string | undefined,
  validation: FieldValidation,
): Read {
  const { value, duplicates } = readValue(expected, body, contentType);
  return typed(expected, value, duplicates, validation);
}

/** A plain value that is already parsed → the object, checked. Also for the result of a patch. */
export function typed(
  expected: Expected,
  value: unknown,
  duplicates: readonly string[],
  validation: FieldValidation,
): Read {
  const decoded = refuse(expected, () =>
    expected.custom ? expected.custom.decode(value) : decodeObject(expected.type, value),
  );
  const complaints =
    validation === 'Ignore' ? [] : [...decoded.unknown, ...duplicates.map(path => `duplicate field "${path}"`)];
  if (validation === 'Strict' && complaints.length > 0)
    throw cannotHandle(expected, `strict decoding error: ${complaints.join(', ')}`);
  checkIdentity(expected, decoded.object);
  const object = { ...decoded.object, apiVersion: apiVersionOf(expected), kind: expected.kind } as unknown as AnyObject;
  object.metadata ??= { name: '' };
  return { object, warnings: complaints };
}

interface Parsed {
  readonly value: unknown;
  readonly duplicates: readonly string[];
}

function readValue(expected: Expected, body: Buffer, contentType: string | undefined): Parsed {
  switch (mediaType(contentType)) {
    case '':
    case 'application/json':
      return parseJson(body.toString('utf8'));
    case 'application/yaml':
    case 'application/x-yaml':
    case 'text/yaml':
      return parseYaml(body.toString('utf8'));
    case 'application/vnd.kubernetes.protobuf':
      if (expected.custom) throw unsupportedMediaType(bodyTypes.slice(0, 2));
      return { value: readProtobuf(expected, body), duplicates: [] };
    default:
      throw unsupportedMediaType(bodyTypes);
  }
}

/** Throws StatusError 400. */
export function parseJson(text: string): Parsed {
  try {
    const duplicates = findDuplicates(text);
    return { value: JSON.parse(text) as unknown, duplicates };
  } catch (error) {
    if (error instanceof DepthError) throw badRequest(`the body cannot be read: ${error.message}`);
    throw badRequest(`the body is not valid JSON: ${(error as Error).message}`);
  }
}

/** Throws StatusError 400. */
export function parseYaml(text: string): Parsed {
  return { value: readYaml(text), duplicates: [] };
}

function readProtobuf(expected: Expected, body: Buffer): unknown {
  try {
    const envelope = readEnvelope(body);
    const object = decodeProtobuf(expected.type, envelope.raw);
    return {
      ...object,
      ...(envelope.apiVersion && { apiVersion: envelope.apiVersion }),
      ...(envelope.kind && { kind: envelope.kind }),
    };
  } catch (error) {
    if (error instanceof ProtobufError) throw badRequest(`the protobuf body cannot be read: ${error.message}`);
    throw error;
  }
}

function refuse<T>(expected: Expected, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DecodeError) throw cannotHandle(expected, error.message);
    throw error;
  }
}

function cannotHandle({ kind, version }: Expected, why: string) {
  return badRequest(`${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: ${why}`);
}

/** A body may leave out apiVersion and kind, but not contradict the URL. */
function checkIdentity(expected: Expected, object: Record<string, unknown>): void {
  const { apiVersion, kind } = object;
  const wanted = apiVersionOf(expected);
  if (kind && kind !== expected.kind)
    throw badRequest(
      `${String(kind)} in version ${JSON.stringify(apiVersion ?? '')} cannot be handled as a ${expected.kind}: the kind in the body does not match the URL`,
    );
  // DeleteOptions and Eviction come in several versions of the same shape
  const lenient = expected.kind === 'DeleteOptions' || expected.kind === 'Eviction' || expected.kind === 'Binding';
  if (apiVersion && apiVersion !== wanted && !lenient)
    throw badRequest(
      `the API version in the data (${String(apiVersion)}) does not match the expected API version (${wanted})`,
    );
}

/** DeleteOptions from a body (perhaps empty) of a DELETE. Throws StatusError. */
export function readDeleteOptions(body: Buffer, contentType: string | undefined): Record<string, unknown> {
  if (body.length === 0) return {};
  const expected = { group: '', version: 'v1', kind: 'DeleteOptions', type: 'meta.v1.DeleteOptions' };
  const { object } = readObject(expected, body, contentType, 'Ignore');
  return isObject(object) ? object : {};
}
