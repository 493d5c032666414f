/** A bare client of the cluster under measurement: one request, and a watch that tells when each line arrived. */
import { readFileSync } from 'node:fs';
import { Agent, type RequestOptions, request } from 'node:https';
import { parse } from 'yaml';
import type { Pod } from '../src/kube/pod.js';

interface Kubeconfig {
  readonly clusters: readonly [
    { readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string } },
  ];
  readonly users: readonly [
    { readonly user: { readonly 'client-certificate-data': string; readonly 'client-key-data': string } },
  ];
}

/** Address and credentials of a kubeconfig with certificates in it. */
export function clientOptions(kubeconfig: string): RequestOptions {
  const config = parse(readFileSync(kubeconfig, 'utf8')) as Kubeconfig;
  const { cluster } = config.clusters[0];
  const { user } = config.users[0];
  const pem = (text: string) => Buffer.from(text, 'base64');
  const { hostname, port } = new URL(cluster.server);
  return {
    hostname,
    port,
    ca: pem(cluster['certificate-authority-data']),
    cert: pem(user['client-certificate-data']),
    key: pem(user['client-key-data']),
  };
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly pod: Pod;
  /** Milliseconds of `performance.now()`. */
  readonly at: number;
}

export class BenchClient {
  readonly #options: RequestOptions;

  constructor(kubeconfig: string) {
    this.#options = { ...clientOptions(kubeconfig), agent: new Agent({ keepAlive: true }) };
  }

  /** Creates a pod in `default`; resolves with its answer read. */
  create(pod: object): Promise<void> {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json' };
      const sent = request(
        { ...this.#options, method: 'POST', path: '/api/v1/namespaces/default/pods', headers },
        answer => {
          answer.resume();
          answer.once('end', () =>
            answer.statusCode === 201
              ? resolve()
              : reject(new Error(`Creating a pod was answered ${answer.statusCode}.`)),
          );
        },
      );
      sent.once('error', reject);
      sent.end(JSON.stringify(pod));
    });
  }

  /** Resolves when the watch of the pods of `default` stands. */
  watchPods(onEvent: (event: WatchEvent) => void): Promise<{ close(): void }> {
    return new Promise((resolve, reject) => {
      const path = '/api/v1/namespaces/default/pods?watch=1';
      const sent = request({ ...this.#options, path, agent: false }, answer => {
        if (answer.statusCode !== 200) return reject(new Error(`The watch was answered ${answer.statusCode}.`));
        readLines(answer.setEncoding('utf8'), (line, at) => {
          const { type, object } = JSON.parse(line) as { type: WatchEvent['type']; object: Pod };
          onEvent({ type, pod: object, at });
        });
        answer.on('error', () => {});
        resolve({ close: () => void sent.destroy() });
      });
      sent.on('error', reject);
      sent.end();
    });
  }
}

/** `at` is when the last part of the line arrived, before anything of it was parsed. */
function readLines(stream: NodeJS.ReadableStream, onLine: (line: string, at: number) => void): void {
  let rest = '';
  stream.on('data', (part: string) => {
    const at = performance.now();
    const lines = (rest + part).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line) onLine(line, at);
  });
}
