/** One line per request: who asked for what, and what they got; never what was in it. Pure. */
import { microTimestamp } from '../../kube/time.js';
import type { Identity } from '../authorize.js';
import type { Route } from '../route.js';

export interface AuditRecord {
  readonly id: string;
  /** With its query. */
  readonly url: string;
  readonly verb: string;
  readonly route: Route | undefined;
  readonly identity: Identity | undefined;
  readonly impersonated: Identity | undefined;
  readonly source: string;
  readonly userAgent: string | undefined;
  readonly code: number;
  /** Milliseconds since 1970. */
  readonly received: number;
  readonly completed: number;
  readonly decision: 'allow' | 'forbid' | undefined;
  readonly reason: string;
}

/** Written piece by piece: what a user is made of is the same in thousands of lines. */
export function auditLine(record: AuditRecord): string {
  const { id, url, verb, identity, impersonated, source, userAgent, code, received, completed } = record;
  return `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"${id}","stage":"ResponseComplete","requestURI":${JSON.stringify(redacted(url))},"verb":${JSON.stringify(verb)},"user":${userText(identity)}${impersonated ? `,"impersonatedUser":${userText(impersonated)}` : ''},"sourceIPs":[${JSON.stringify(source)}]${userAgent === undefined ? '' : `,"userAgent":${JSON.stringify(userAgent.slice(0, 1024))}`}${objectText(record.route)},"responseStatus":{"metadata":{},"code":${code}},"requestReceivedTimestamp":"${timeText(received)}","stageTimestamp":"${timeText(completed)}"${annotations(record)}}\n`;
}

/** The last one again, as often as not: many requests fall into one millisecond. */
let lastTime = { ms: 0, text: '' };

function timeText(ms: number): string {
  if (lastTime.ms !== ms) lastTime = { ms, text: microTimestamp(ms) };
  return lastTime.text;
}

const texts = new WeakMap<Identity, string>();

function userText(identity: Identity | undefined): string {
  if (!identity) return '{}';
  let text = texts.get(identity);
  if (text === undefined) {
    const { name, uid, groups, extra } = identity;
    text = JSON.stringify({ username: name, uid, groups, extra });
    texts.set(identity, text);
  }
  return text;
}

function objectText(route: Route | undefined): string {
  if (route?.to !== 'resource') return '';
  const { plural, namespace, name, group, version, subresource } = route;
  return `,"objectRef":${JSON.stringify({ resource: plural, namespace, name, apiGroup: group || undefined, apiVersion: version, subresource })}`;
}

function annotations({ decision, reason }: AuditRecord): string {
  if (decision === undefined) return '';
  return `,"annotations":{"authorization.k8s.io/decision":"${decision}","authorization.k8s.io/reason":${JSON.stringify(reason)}}`;
}

const secretParameter = /([?&](?:[^=&]{0,64}?(?:token|secret|password|key|authorization)[^=&]{0,64})=)[^&]*/gi;

/** Nobody should, but some put credentials into the query. */
export const redacted = (url: string): string =>
  url.includes('?') ? url.slice(0, 4096).replace(secretParameter, '$1redacted') : url.slice(0, 4096);
