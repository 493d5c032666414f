/** GET as kubelet asks: no certificate is verified, redirects are followed on the same host only. */
import { type IncomingMessage, request as plain } from 'node:http';
import { request as secure } from 'node:https';
import { codeOf, describe } from '../../src/base/errors.js';
import type { Container, HTTPGetAction } from '../../src/kube/pod.js';
import { address, portNumber } from './port.js';
import type { ProbeResult } from './prober.js';
import { dialError } from './tcp.js';

const bodyLimit = 10 * 1024;
const maxRedirects = 10;

interface Answer {
  readonly code: number;
  readonly location: string | undefined;
  readonly body: string;
}

/** @throws Error for a port that is not there */
export function urlOf({ scheme, host, port, path = '/' }: HTTPGetAction, container: Container, podIP: string): URL {
  const base = `${(scheme ?? 'HTTP').toLowerCase()}://${address(host || podIP, portNumber(port, container))}`;
  return new URL(path.startsWith('/') ? base + path : `${base}/${path}`);
}

/** What was asked of it last is what counts; a redirect to another host is success with a warning. */
export async function httpProbe(url: URL, action: HTTPGetAction, timeoutMs: number): Promise<ProbeResult> {
  const deadline = Date.now() + timeoutMs;
  let at = url;
  for (let redirects = 0; ; redirects++) {
    let answer: Answer;
    try {
      answer = await get(at, action, deadline - Date.now());
    } catch (error) {
      return { result: 'failure', output: `Get "${at.href}": ${describe(error)}` };
    }
    const to = redirectOf(answer, at);
    if (!to) return judge(answer);
    if (to.hostname !== url.hostname)
      return { result: 'warning', output: `Probe terminated redirects, Response body: ${answer.body}` };
    if (redirects + 1 >= maxRedirects)
      return { result: 'failure', output: `Get "${to.href}": stopped after ${maxRedirects} redirects` };
    at = to;
  }
}

function judge({ code }: Answer): ProbeResult {
  if (code >= 200 && code < 400) return { result: 'success', output: '' };
  return { result: 'failure', output: `HTTP probe failed with statuscode: ${code}` };
}

function redirectOf({ code, location }: Answer, from: URL): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(code) || !location || !URL.canParse(location, from)) return undefined;
  return new URL(location, from);
}

/** @throws Error in Go's words */
export function get(url: URL, action: HTTPGetAction, timeoutMs: number, signal?: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = {
      agent: false as const,
      headers: headersOf(action),
      rejectUnauthorized: false,
      insecureHTTPParser: true,
    };
    const outgoing = (url.protocol === 'https:' ? secure : plain)(url, { ...options, ...(signal && { signal }) });
    const timer = setTimeout(
      () => outgoing.destroy(new Error('context deadline exceeded (Client.Timeout exceeded while awaiting headers)')),
      Math.max(1, timeoutMs),
    );
    outgoing.on('response', response => {
      void bodyOf(response).then(body => {
        clearTimeout(timer);
        outgoing.destroy();
        resolve({ code: response.statusCode ?? 0, location: response.headers.location, body });
      }, reject);
    });
    outgoing.on('error', error => {
      clearTimeout(timer);
      reject(codeOf(error) && codeOf(error) !== 'ABORT_ERR' ? new Error(wording(url, error)) : error);
    });
    outgoing.end();
  });
}

function wording(url: URL, error: Error): string {
  if (codeOf(error) === 'EPROTO' && error.message.includes('wrong version number'))
    return 'http: server gave HTTP response to HTTPS client';
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  return codeOf(error) === 'ECONNRESET' ? 'EOF' : dialError(url.hostname.replace(/^\[|\]$/g, ''), port, error);
}

function headersOf({ httpHeaders = [] }: HTTPGetAction): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { 'user-agent': 'kube-probe/1.35', accept: '*/*' };
  const given = new Map<string, string[]>();
  for (const { name, value } of httpHeaders)
    given.set(name.toLowerCase(), [...(given.get(name.toLowerCase()) ?? []), value ?? '']);
  for (const [name, values] of given) headers[name] = values.length === 1 ? (values[0] as string) : values;
  headers['connection'] = 'close';
  return headers;
}

/** Its beginning: who sends without end is not listened to for longer. */
async function bodyOf(response: IncomingMessage): Promise<string> {
  let body = '';
  for await (const part of response) {
    body += String(part);
    if (body.length >= bodyLimit) break;
  }
  return body.slice(0, bodyLimit);
}
