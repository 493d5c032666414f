/** Kubeconfig files for the administrator and for nodes: everything embedded, mode 0600, replaced atomically. */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.js';
import type { KeyPair } from './pki.js';

export interface KubeconfigOptions {
  /** `https://127.0.0.1:6443`. */
  readonly server: string;
  /** PEM. */
  readonly ca: string;
  readonly user: string;
  readonly client: KeyPair;
}

/** The text of a kubeconfig with one cluster, user and context. JSON, which is YAML too. */
export function kubeconfig({ server, ca, user, client }: KubeconfigOptions): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'keelson', cluster: { server, 'certificate-authority-data': base64(ca) } }],
    users: [
      {
        name: user,
        user: { 'client-certificate-data': base64(client.certificate), 'client-key-data': base64(client.key) },
      },
    ],
    contexts: [{ name: 'keelson', context: { cluster: 'keelson', user, namespace: 'default' } }],
    'current-context': 'keelson',
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}

export async function writeKubeconfig(file: string, options: KubeconfigOptions): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o755 });
  await writeFileAtomic(file, kubeconfig(options), { mode: 0o600 });
}
