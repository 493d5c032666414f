/** Every failure the API answers with, in Kubernetes' words (kubernetes-wire §8). */
import { failure, type StatusCause, type StatusError } from '../kube/status.js';

/** What a failure is about: a resource and perhaps one object of it. */
export interface Subject {
  readonly group: string;
  readonly plural: string;
  readonly kind: string;
}

const qualified = ({ group, plural }: Subject): string => (group ? `${plural}.${group}` : plural);
const detailsOf = ({ group, plural }: Subject, name: string) => ({
  ...(name && { name }),
  ...(group && { group }),
  kind: plural,
});

export const notFound = (subject: Subject, name: string): StatusError =>
  failure(404, 'NotFound', `${qualified(subject)} "${name}" not found`, detailsOf(subject, name));

export const alreadyExists = (subject: Subject, name: string): StatusError =>
  failure(409, 'AlreadyExists', `${qualified(subject)} "${name}" already exists`, detailsOf(subject, name));

export const conflict = (subject: Subject, name: string, why: string): StatusError =>
  failure(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(subject)} "${name}": ${why}`,
    detailsOf(subject, name),
  );

export const modified = (subject: Subject, name: string): StatusError =>
  conflict(
    subject,
    name,
    'the object has been modified; please apply your changes to the latest version and try again',
  );

export const forbidden = (subject: Subject, name: string, why: string): StatusError =>
  failure(
    403,
    'Forbidden',
    `${qualified(subject)}${name ? ` "${name}"` : ''} is forbidden: ${why}`,
    detailsOf(subject, name),
  );

export const badRequest = (message: string): StatusError => failure(400, 'BadRequest', message);
export const methodNotAllowed = (): StatusError =>
  failure(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {});
export const unauthorized = (): StatusError => failure(401, 'Unauthorized', 'Unauthorized');
export const expired = (message: string): StatusError => failure(410, 'Expired', message);
export const tooLarge = (limit: number): StatusError =>
  failure(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${limit}`);
export const tooMany = (message: string): StatusError =>
  failure(429, 'TooManyRequests', message, { retryAfterSeconds: 1 });
export const internal = (message: string): StatusError =>
  failure(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] });
export const unavailable = (message: string): StatusError =>
  failure(503, 'ServiceUnavailable', message, { retryAfterSeconds: 1 });
/** Without Retry-After: clients that repeat it for ten seconds would only say it later. */
export const full = (message: string): StatusError => failure(507, 'InsufficientStorage', message);
export const pathNotFound = (): StatusError =>
  failure(404, 'NotFound', 'the server could not find the requested resource', {});

export const unsupportedMediaType = (accepted: readonly string[]): StatusError =>
  failure(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  );

export const notAcceptable = (accepted: readonly string[]): StatusError =>
  failure(406, 'NotAcceptable', `only the following media types are accepted: ${accepted.join(', ')}`);

export const futureRevision = (asked: number, current: number): StatusError =>
  failure(504, 'Timeout', `Timeout: Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });

/** One thing wrong with one field. */
export interface FieldError {
  readonly reason:
    | 'Required'
    | 'Invalid'
    | 'Duplicate'
    | 'NotSupported'
    | 'Forbidden'
    | 'TooLong'
    | 'TooMany'
    | 'NotFound'
    | 'TypeInvalid';
  readonly field: string;
  readonly message: string;
}

const show = (value: unknown): string =>
  typeof value === 'object' && value !== null ? JSON.stringify(value) : JSON.stringify(value ?? null);

export const required = (field: string, why = ''): FieldError => ({
  reason: 'Required',
  field,
  message: `Required value${why && `: ${why}`}`,
});
export const invalid = (field: string, value: unknown, why: string): FieldError => ({
  reason: 'Invalid',
  field,
  message: `Invalid value: ${show(value)}: ${why}`,
});
export const duplicate = (field: string, value: unknown): FieldError => ({
  reason: 'Duplicate',
  field,
  message: `Duplicate value: ${show(value)}`,
});
export const notSupported = (field: string, value: unknown, allowed: readonly string[]): FieldError => ({
  reason: 'NotSupported',
  field,
  message: `Unsupported value: ${show(value)}: supported values: ${allowed.map(item => `"${item}"`).join(', ')}`,
});
export const forbiddenField = (field: string, why: string): FieldError => ({
  reason: 'Forbidden',
  field,
  message: `Forbidden: ${why}`,
});
export const missing = (field: string, value: unknown): FieldError => ({
  reason: 'NotFound',
  field,
  message: `Not found: ${show(value)}`,
});
export const tooLongField = (field: string, limit: number): FieldError => ({
  reason: 'TooLong',
  field,
  message: `Too long: may not be more than ${limit} bytes`,
});

/** 422 with one cause per field. */
export function invalidObject(subject: Subject, name: string, errors: readonly FieldError[]): StatusError {
  const causes: StatusCause[] = errors.map(({ reason, field, message }) => ({
    reason: `FieldValue${reason}`,
    message,
    field,
  }));
  const texts = errors.map(({ field, message }) => `${field}: ${message}`);
  const message = `${subject.kind}${subject.group && `.${subject.group}`} "${name}" is invalid: ${texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`}`;
  return failure(422, 'Invalid', message, {
    ...(name && { name }),
    ...(subject.group && { group: subject.group }),
    kind: subject.kind,
    causes,
  });
}

/** For paths that are no resource. */
export const failureForbiddenPath = (why: string): StatusError => failure(403, 'Forbidden', `forbidden: ${why}`, {});
