/** A whole API server in this process, on a free port, with a store of its own: for tests and measurements. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { createIssuer } from '../../src/api/auth/issuer.js';
import { bootstrap } from '../../src/api/bootstrap.js';
import { ApiClient } from '../../src/api/client.js';
import { followCustomKinds, loadCustomKinds } from '../../src/api/custom/follow.js';
import type { Engine } from '../../src/api/engine.js';
import { KindRegistry } from '../../src/api/kind-registry.js';
import { builtInKinds } from '../../src/api/kinds/index.js';
import { kubeconfig } from '../../src/api/kubeconfig.js';
import { openPki, type Pki } from '../../src/api/pki.js';
import { type ApiServer, createApiServer } from '../../src/api/server.js';
import type { NodeStreams } from '../../src/api/streams.js';
import { UsageBook } from '../../src/api/usage.js';
import { View } from '../../src/api/view.js';
import { controllers } from '../../src/controllers/index.js';
import { startControllers } from '../../src/controllers/runner.js';
import type { Store } from '../../src/store/contract.js';
import { openSqliteStore } from '../../src/store/sqlite.js';

export interface TestServer {
  readonly url: string;
  readonly engine: Engine;
  readonly client: ApiClient;
  readonly server: ApiServer;
  readonly pki: Pki;
  readonly kubeconfig: string;
  readonly folder: string;
  close(): Promise<void>;
}

const noStreams: NodeStreams = { open: () => undefined };

export async function startApiServer({
  streams = noStreams,
  port = 0,
  store,
  running = controllers,
}: {
  streams?: NodeStreams;
  port?: number;
  store?: Store;
  /** Which controllers run. */
  running?: typeof controllers;
} = {}): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), 'keelson-api-'));
  const opened = store ?? (await openSqliteStore({ file: join(folder, 'store', 'keelson.db') }));
  const kinds = new KindRegistry(builtInKinds);
  loadCustomKinds(opened, kinds);
  const view = new View(opened, kinds.stored);
  followCustomKinds(view, kinds);
  const engine: Engine = { store: opened, view, kinds, now: Date.now, random: Math.random };
  const pki = await openPki(join(folder, 'pki'));
  await bootstrap(engine, pki.ca);
  const log = pino({ level: process.env.KEELSON_LOG ?? 'error' });
  const server = createApiServer({ engine, pki, streams, usage: new UsageBook(), log });
  const client = new ApiClient(engine);
  const issue = createIssuer({ view, client, pki, accounts: server.accounts });
  const started = startControllers({ controllers: running, view, kinds, client, log, now: engine.now, issue });
  const { url } = await server.listen({ port });
  const close = async (): Promise<void> => {
    await server.close();
    await started.close();
    view.close();
    await opened.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return {
    url,
    engine,
    client,
    server,
    pki,
    folder,
    close,
    kubeconfig: kubeconfig({ server: url, ca: pki.ca, user: 'admin', client: pki.admin }),
  };
}
