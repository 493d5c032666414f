/** One call of one webhook over HTTPS (admission.k8s.io/v1 AdmissionReview), bounded in time and size. */
import { randomUUID } from 'node:crypto';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import type { WebhookClientConfig } from '../../kube/api/admissionregistration-v1.js';
import type { Service } from '../../kube/api/core-v1.js';
import { isObject } from '../../kube/json.js';
import type { View } from '../view.js';

/** What the webhook said. */
export interface Answer {
  readonly allowed: boolean;
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly warnings: readonly string[];
  /** RFC 6902. */
  readonly patch?: unknown;
}

/** The webhook could not be asked, or what it said makes no sense. */
export class WebhookError extends Error {
  override name = 'WebhookError';
}

const maxAnswerBytes = 3 * 1024 * 1024;

/** Throws WebhookError. @param timeoutSeconds of the whole call. */
export async function callWebhook(
  view: View,
  config: WebhookClientConfig,
  request: object,
  timeoutSeconds: number,
): Promise<Answer> {
  const uid = randomUUID();
  const review = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: { uid, ...request } };
  const target = targetOf(view, config, timeoutSeconds);
  const text = await post(target, JSON.stringify(review), timeoutSeconds * 1000);
  return readAnswer(text, uid);
}

interface Target {
  readonly url: URL;
  readonly ca: string | undefined;
  readonly servername: string;
}

function targetOf(view: View, { url, service, caBundle }: WebhookClientConfig, timeoutSeconds: number): Target {
  const ca = caBundle ? Buffer.from(caBundle, 'base64').toString('utf8') : undefined;
  const whole = url ? new URL(url) : serviceUrl(view, service!);
  whole.searchParams.set('timeout', `${timeoutSeconds}s`);
  return { url: whole, ca, servername: service ? `${service.name}.${service.namespace}.svc` : whole.hostname };
}

function serviceUrl(
  view: View,
  { namespace, name, path = '/', port = 443 }: NonNullable<WebhookClientConfig['service']>,
): URL {
  const service = view.get('Service', namespace, name) as unknown as Service | undefined;
  const address = service?.spec?.clusterIP;
  if (!address || address === 'None')
    throw new WebhookError(`service "${name}" in namespace "${namespace}" has no cluster address`);
  return new URL(
    `https://${address.includes(':') ? `[${address}]` : address}:${port}${path.startsWith('/') ? path : `/${path}`}`,
  );
}

function post({ url, ca, servername }: Target, body: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => reject(new WebhookError(`Post ${JSON.stringify(url.href)}: ${why}`));
    const signal = AbortSignal.timeout(timeoutMs);
    const sent = httpsRequest(
      url,
      {
        method: 'POST',
        ca,
        // an address is no name that TLS could ask for
        ...(isIP(servername) === 0 && { servername }),
        signal,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      },
      response => {
        const parts: Buffer[] = [];
        let size = 0;
        response.on('data', (part: Buffer) => {
          size += part.length;
          if (size > maxAnswerBytes) sent.destroy(new Error(`the answer is longer than ${maxAnswerBytes} bytes`));
          parts.push(part);
        });
        response.on('end', () => {
          if (response.statusCode !== 200) return fail(`the answer has status ${response.statusCode}`);
          resolve(Buffer.concat(parts).toString('utf8'));
        });
        response.on('error', error => fail(error.message));
      },
    );
    sent.on('error', error => fail(signal.aborted ? 'context deadline exceeded' : error.message));
    sent.end(body);
  });
}

function readAnswer(text: string, uid: string): Answer {
  const review = parse(text);
  const response = isObject(review) && isObject(review.response) ? review.response : undefined;
  if (!response) throw new WebhookError('the answer is no AdmissionReview with a response');
  if (response.uid !== uid)
    throw new WebhookError(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`);
  const status = isObject(response.status) ? response.status : {};
  return {
    allowed: response.allowed === true,
    ...(typeof status.code === 'number' && { code: status.code }),
    ...(typeof status.reason === 'string' && { reason: status.reason }),
    ...(typeof status.message === 'string' && { message: status.message }),
    warnings: Array.isArray(response.warnings) ? response.warnings.filter(item => typeof item === 'string') : [],
    ...(typeof response.patch === 'string' && { patch: patchOf(response) }),
  };
}

function patchOf({ patch, patchType }: Record<string, unknown>): unknown {
  if (patchType !== 'JSONPatch')
    throw new WebhookError(`invalid patchType ${JSON.stringify(patchType ?? '')}: supported values: "JSONPatch"`);
  return parse(Buffer.from(patch as string, 'base64').toString('utf8'));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new WebhookError(`the answer is not JSON: ${(error as Error).message}`);
  }
}
