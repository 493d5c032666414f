/**
 * Kubernetes' protobuf request bodies → plain JSON values (kubernetes-wire §5.2). kubectl ≥ 1.32 sends them for every typed
 * write. Bounded: no length beyond the buffer is believed, nesting is limited, unknown fields are skipped.
 */
import { setOwn } from '../../kube/json.js';
import { timestamp } from '../../kube/time.js';
import { typeNamed } from './index.js';
import { maxDepth } from './scan.js';
import type { Field, ObjectType } from './types.js';

export class ProtobufError extends Error {
  override name = 'ProtobufError';
}

export interface Envelope {
  readonly apiVersion: string;
  readonly kind: string;
  readonly raw: Uint8Array;
}

type Value = bigint | Uint8Array;

/** Reads `k8s\0` and the envelope. Throws ProtobufError. */
export function readEnvelope(body: Uint8Array): Envelope {
  if (body.length < 4 || body[0] !== 0x6b || body[1] !== 0x38 || body[2] !== 0x73 || body[3] !== 0)
    throw new ProtobufError('the body does not begin with the k8s protobuf prefix');
  const envelope = readMessage(body.subarray(4));
  const meta = readMessage(bytesOf(envelope.get(1)?.at(-1)));
  return {
    apiVersion: textOf(meta.get(1)?.at(-1)),
    kind: textOf(meta.get(2)?.at(-1)),
    raw: bytesOf(envelope.get(2)?.at(-1)),
  };
}

/** The message as JSON would have it. Throws ProtobufError. */
export function decodeProtobuf(typeName: string, raw: Uint8Array): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  decodeInto(typeNamed(typeName), raw, object, 0);
  return object;
}

/** Field number → its values in order. */
function readMessage(bytes: Uint8Array): Map<number, Value[]> {
  const fields = new Map<number, Value[]>();
  const reader = new Reader(bytes);
  while (!reader.done) {
    const tag = Number(reader.varint());
    const value = reader.value(tag & 7);
    const list = fields.get(tag >>> 3);
    if (list) list.push(value);
    else fields.set(tag >>> 3, [value]);
  }
  return fields;
}

class Reader {
  #at = 0;
  constructor(readonly bytes: Uint8Array) {}

  get done(): boolean {
    return this.#at >= this.bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.bytes[this.#at++];
      if (byte === undefined) throw new ProtobufError('unexpected end of the message');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new ProtobufError('a varint of more than 10 bytes');
  }

  value(wireType: number): Value {
    switch (wireType) {
      case 0:
        return this.varint();
      case 1:
        return this.take(8);
      case 2:
        return this.take(Number(this.varint()));
      case 5:
        return this.take(4);
      default:
        throw new ProtobufError(`wire type ${wireType} is not used by Kubernetes`);
    }
  }

  take(length: number): Uint8Array {
    if (length > this.bytes.length - this.#at) throw new ProtobufError('a length goes beyond the message');
    this.#at += length;
    return this.bytes.subarray(this.#at - length, this.#at);
  }
}

function decodeInto(type: ObjectType, raw: Uint8Array, into: Record<string, unknown>, depth: number): void {
  if (depth > maxDepth) throw new ProtobufError(`nested deeper than ${maxDepth} levels`);
  const values = readMessage(raw);
  for (const field of type.fields) {
    const found = values.get(field.number);
    if (!found) continue;
    if (field.inline) decodeInto(typeNamed(field.of), bytesOf(found.at(-1)), into, depth + 1);
    else put(field, found, into, depth);
  }
}

function put(field: Field, found: Value[], into: Record<string, unknown>, depth: number): void {
  if (field.shape === 'list')
    setOwn(
      into,
      field.name,
      found.flatMap(value => decodeItems(field, value, depth)),
    );
  else if (field.shape === 'map') setOwn(into, field.name, decodeMap(field, found, depth));
  else {
    const value = decodeValue(field, found.at(-1)!, depth);
    const zero = value === '' || value === 0 || value === false;
    if (!zero || field.pointer || field.always || !field.scalar) setOwn(into, field.name, value);
  }
}

/** A list element, or several packed into one length-delimited value. */
function decodeItems(field: Field, value: Value, depth: number): unknown[] {
  const packable = ['int32', 'int64', 'uint64', 'bool'].includes(field.of);
  if (typeof value === 'bigint' || !packable) return [decodeValue(field, value, depth)];
  const reader = new Reader(value);
  const items: unknown[] = [];
  while (!reader.done) items.push(decodeValue(field, reader.varint(), depth));
  return items;
}

function decodeMap(field: Field, found: readonly Value[], depth: number): Record<string, unknown> {
  const map = {};
  for (const entry of found) {
    const pair = readMessage(bytesOf(entry));
    const value =
      pair.get(2)?.at(-1) ?? (field.scalar && ['int32', 'int64', 'bool'].includes(field.of) ? 0n : new Uint8Array());
    setOwn(map, textOf(pair.get(1)?.at(-1)), decodeValue(field, value, depth));
  }
  return map;
}

function decodeValue(field: Field, value: Value, depth: number): unknown {
  switch (field.of) {
    case 'string':
      return textOf(value);
    case 'bytes':
      return Buffer.from(bytesOf(value)).toString('base64');
    case 'bool':
      return numberOf(value) !== 0n;
    case 'int32':
      return Number(BigInt.asIntN(32, numberOf(value)));
    case 'int64':
      return Number(BigInt.asIntN(64, numberOf(value)));
    case 'uint64':
      return Number(numberOf(value));
    case 'double': {
      const bytes = bytesOf(value);
      if (bytes.length !== 8) throw new ProtobufError('a double of the wrong length');
      return Buffer.from(bytes).readDoubleLE(0);
    }
    case 'quantity':
      return textOf(readMessage(bytesOf(value)).get(1)?.at(-1)) || '0';
    case 'int-or-string':
      return intOrString(readMessage(bytesOf(value)));
    case 'time':
    case 'micro-time':
      return timeOf(readMessage(bytesOf(value)), field.of);
    case 'duration':
      return Number(BigInt.asIntN(64, numberOf(readMessage(bytesOf(value)).get(1)?.at(-1) ?? 0n)));
    case 'strings':
      return (readMessage(bytesOf(value)).get(1) ?? []).map(textOf);
    case 'fields':
    case 'raw':
    case 'json':
      return embedded(readMessage(bytesOf(value)));
    default: {
      const object: Record<string, unknown> = {};
      decodeInto(typeNamed(field.of), bytesOf(value), object, depth + 1);
      return object;
    }
  }
}

function intOrString(message: Map<number, Value[]>): string | number {
  if (numberOf(message.get(1)?.at(-1) ?? 0n) === 1n) return textOf(message.get(3)?.at(-1));
  return Number(BigInt.asIntN(32, numberOf(message.get(2)?.at(-1) ?? 0n)));
}

function timeOf(message: Map<number, Value[]>, kind: 'time' | 'micro-time'): string | null {
  if (message.size === 0) return null;
  const seconds = Number(BigInt.asIntN(64, numberOf(message.get(1)?.at(-1) ?? 0n)));
  const nanos = Number(BigInt.asIntN(32, numberOf(message.get(2)?.at(-1) ?? 0n)));
  // beyond the years that a Date can hold
  if (Math.abs(seconds) > 8.64e12) throw new ProtobufError(`time ${seconds} is out of range`);
  const text = timestamp(seconds * 1000);
  return kind === 'time' ? text : `${text.slice(0, -1)}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z`;
}

function embedded(message: Map<number, Value[]>): unknown {
  try {
    return JSON.parse(textOf(message.get(1)?.at(-1)) || 'null') as unknown;
  } catch {
    throw new ProtobufError('embedded JSON cannot be parsed');
  }
}

function bytesOf(value: Value | undefined): Uint8Array {
  if (value === undefined) return new Uint8Array();
  if (typeof value === 'bigint') throw new ProtobufError('a number where bytes belong');
  return value;
}

function numberOf(value: Value): bigint {
  if (typeof value !== 'bigint') throw new ProtobufError('bytes where a number belongs');
  return value;
}

function textOf(value: Value | undefined): string {
  return Buffer.from(bytesOf(value)).toString('utf8');
}
