/** Builds and wires the parts of the controller: the only place on its side that knows all of them. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { WebSocketServer } from 'ws';
import { noAudit, openAuditLog } from '../api/auth/audit-log.js';
import { createIssuer } from '../api/auth/issuer.js';
import { nodeNameOf } from '../api/authorize.js';
import { bootstrap } from '../api/bootstrap.js';
import { ApiClient } from '../api/client.js';
import { followCustomKinds, loadCustomKinds } from '../api/custom/follow.js';
import type { Engine } from '../api/engine.js';
import { forbidden } from '../api/errors.js';
import { KindRegistry } from '../api/kind-registry.js';
import { builtInKinds } from '../api/kinds/index.js';
import { writeKubeconfig } from '../api/kubeconfig.js';
import { openPki } from '../api/pki.js';
import { refuseUpgrade } from '../api/respond.js';
import { createApiServer } from '../api/server.js';
import { publishApiServer } from '../api/service/publish.js';
import { UsageBook } from '../api/usage.js';
import { View } from '../api/view.js';
import { parseCidr } from '../base/cidr.js';
import { createLogger } from '../base/log.js';
import { acquireLock } from '../base/process-lock.js';
import { clusterAddresses } from '../base/service-cidr.js';
import { controllers as allControllers } from '../controllers/index.js';
import { nodeIpamController } from '../controllers/node-ipam.js';
import { startControllers } from '../controllers/runner.js';
import { DashboardFeed } from '../dashboard/feed.js';
import { maxControlBytes } from '../link/frames.js';
import { LinkHub } from '../link/hub.js';
import { SchedulerLoop } from '../scheduler/loop.js';
import { startCompaction } from '../store/compaction.js';
import { openSqliteStore } from '../store/sqlite.js';
import { hubSink, hubView, summarize } from './adapters.js';
import { dashboardFiles, isOwnOrigin } from './dashboard-files.js';
import { PolicyView } from './policy-view.js';
import { schedulerView, schedulerWrites } from './scheduler-adapters.js';

export interface ControllerOptions {
  readonly dataDir: string;
  readonly runDir: string;
  readonly port: number;
  /** Where the API is served. */
  readonly bindAddress: string;
  /** Pod addresses of all nodes, one range or one of each family, and the prefix length of each node's share. */
  readonly clusterCIDRs: readonly string[];
  readonly nodeMaskSizes: Readonly<Record<4 | 6, number>>;
  /** Where Services get their addresses, the default family's first; and the ports they may open on nodes. */
  readonly serviceCIDRs: readonly string[];
  readonly nodePorts: { readonly first: number; readonly last: number };
  /** Where the administrator's kubeconfig is written. */
  readonly kubeconfig: string;
  readonly unixSocket: string;
  /** Where a line about every request goes; undefined: nowhere. */
  readonly auditLog: string | undefined;
  /** Nodes on this machine: their names, and where their credentials are written. */
  readonly localNodes: readonly { readonly name: string; readonly credentials: string }[];
}

export interface Controller {
  readonly url: string;
  stop(): Promise<void>;
}

export async function startController(options: ControllerOptions): Promise<Controller> {
  const log = createLogger('controller');
  await mkdir(options.dataDir, { recursive: true, mode: 0o700 });
  await mkdir(options.runDir, { recursive: true, mode: 0o700 });
  const lock = acquireLock(join(options.dataDir, 'controller.lock'), `data directory ${options.dataDir}`);
  const pki = await openPki(join(options.dataDir, 'pki'), [
    options.bindAddress,
    clusterAddresses(options.serviceCIDRs).api,
  ]);
  // a failed fsync cannot be retried: only a new start knows what is on the disk (reliability rule A16)
  const store = await openSqliteStore({ file: join(options.dataDir, 'store.db'), onFatal: error => fatal(error) });
  const kinds = new KindRegistry(builtInKinds);
  loadCustomKinds(store, kinds);
  const view = new View(store, kinds.stored);
  followCustomKinds(view, kinds);
  const servicePools = {
    ranges: options.serviceCIDRs.flatMap(text => parseCidr(text) ?? []),
    nodePorts: options.nodePorts,
  };
  const engine: Engine = { store, view, kinds, now: () => Date.now(), random: Math.random, servicePools };
  await bootstrap(engine, pki.ca);
  const client = new ApiClient(engine);

  const feed = new DashboardFeed({
    cluster: options.localNodes[0]?.name ?? 'keelson',
    list: kind => view.list(kind),
    subscribe: listener => view.subscribe(change => listener(change.object, change.type === 'DELETED')),
    summarize,
    mayLook: async token => server.tokens.find(token)?.groups.includes('system:masters') ?? false,
  });
  const usage = new UsageBook();
  const hub = new LinkHub({
    view: hubView(view, new PolicyView(view)),
    sink: hubSink(client, view, () => server.accounts),
    log,
    onStats: (node, stats) => {
      usage.take(node, stats);
      feed.usage(node, stats);
    },
  });
  const audit = options.auditLog === undefined ? noAudit : openAuditLog({ file: options.auditLog, log });
  const server = createApiServer({
    engine,
    pki,
    log,
    audit,
    usage,
    streams: { open: (node, request) => hub.open(node, request), isConnected: node => hub.isConnected(node) },
  });

  const links = new WebSocketServer({ noServer: true, maxPayload: maxControlBytes, perMessageDeflate: false });
  server.onUpgrade('/link/v1', (request, socket, head, { identity }) => {
    const node = nodeNameOf(identity);
    if (!node)
      return refuseUpgrade(
        socket,
        forbidden(
          { group: '', plural: 'nodes', kind: 'Node' },
          '',
          'only a node certificate (CN=system:node:NAME, O=system:nodes) may open the link',
        ),
      );
    links.handleUpgrade(request, socket, head, link => hub.accept(link, node));
  });
  const pages = new WebSocketServer({ noServer: true, maxPayload: 16 * 1024, perMessageDeflate: false });
  server.onUpgrade('/dashboard/ws', (request, socket, head) => {
    if (!isOwnOrigin(request.headers, port))
      return refuseUpgrade(
        socket,
        forbidden(
          { group: '', plural: 'dashboard', kind: '' },
          '',
          `Origin ${String(request.headers.origin)} is not this server`,
        ),
      );
    pages.handleUpgrade(request, socket, head, page => feed.accept(page));
  });
  server.onHttp('/dashboard/', dashboardFiles());

  const { port } = await server.listen({
    port: options.port,
    host: options.bindAddress,
    unixSocket: options.unixSocket,
  });
  const url = `https://${hostOf(options.bindAddress)}:${port}`;
  await publishApiServer(client, port, servicePools);
  await writeKubeconfig(options.kubeconfig, { server: url, ca: pki.ca, user: 'kubernetes-admin', client: pki.admin });
  for (const { name, credentials } of options.localNodes) {
    await writeKubeconfig(credentials, {
      server: `unix:${options.unixSocket}`,
      ca: pki.ca,
      user: `system:node:${name}`,
      client: await pki.nodeCertificate(name),
    });
  }
  const compaction = startCompaction(store, log);
  const scheduler = new SchedulerLoop(schedulerView(view), schedulerWrites(client, log), log);
  const issue = createIssuer({ view, client, pki, accounts: server.accounts });
  const controllers = startControllers({
    controllers: [
      ...allControllers,
      nodeIpamController({
        clusterCidrs: options.clusterCIDRs,
        maskSizes: options.nodeMaskSizes,
      }),
    ],
    view,
    kinds,
    client,
    log,
    now: engine.now,
    issue,
  });
  log.info({ url, revision: view.revision }, 'controller started');
  return {
    url,
    stop: async () => {
      await Promise.all([scheduler.close(), controllers.close()]);
      compaction.close();
      feed.close();
      hub.close();
      await server.close();
      await audit.close();
      await store.close();
      lock.release();
    },
  };
}

/** By what this machine itself reaches a listener. */
function hostOf(bindAddress: string): string {
  if (bindAddress === '0.0.0.0' || bindAddress === '::') return '127.0.0.1';
  return bindAddress.includes(':') ? `[${bindAddress}]` : bindAddress;
}

function fatal(error: Error): void {
  process.stderr.write(`keelson controller: the store has failed: ${error.message}\n`);
  process.exit(74);
}
