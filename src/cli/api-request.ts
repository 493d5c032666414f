/** One request to the API with the administrator's kubeconfig, for the few commands that need the cluster. */
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { parse } from 'yaml';
import { codeOf, UserError } from '../base/errors.js';
import { at } from '../kube/json.js';

export interface ApiAnswer {
  readonly code: number;
  readonly body: unknown;
}

/** @param file the kubeconfig. Throws UserError if it cannot be read, or nobody answers. */
export function apiRequest(file: string, method: string, path: string, body?: object): Promise<ApiAnswer> {
  const { server, ca, cert, key } = readKubeconfig(file);
  const payload = body && JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const call = request(`${server}${path}`, {
      method,
      ca,
      cert,
      key,
      timeout: 10_000,
      headers:
        payload === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) },
    });
    call.on('error', error => reject(new UserError(`the API at ${server} cannot be reached: ${error.message}`)));
    call.on('timeout', () => call.destroy(new Error('no answer in 10 s')));
    call.on('response', response => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () =>
        resolve({ code: response.statusCode ?? 0, body: text === '' ? undefined : JSON.parse(text) }),
      );
    });
    call.end(payload);
  });
}

/** Throws UserError saying what is wrong, unless the answer is one of success. */
export function succeeded({ code, body }: ApiAnswer, deed: string): unknown {
  if (code >= 200 && code < 300) return body;
  throw new UserError(`${deed}: ${String(at(body, 'message') ?? `the API answered ${code}`)}`);
}

/** Throws UserError for a file that cannot be read. */
export function readKubeconfig(file: string): { server: string; ca: Buffer; cert: Buffer; key: Buffer } {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UserError(
      `kubeconfig ${file}: ${codeOf(error) ?? String(error)}`,
      'name it with --kubeconfig or --isolated',
    );
  }
  const config: unknown = parse(text);
  const text64 = (...path: (string | number)[]): Buffer => Buffer.from(String(at(config, ...path) ?? ''), 'base64');
  const user = (field: string): Buffer => text64('users', 0, 'user', field);
  return {
    server: String(at(config, 'clusters', 0, 'cluster', 'server') ?? ''),
    ca: text64('clusters', 0, 'cluster', 'certificate-authority-data'),
    cert: user('client-certificate-data'),
    key: user('client-key-data'),
  };
}
