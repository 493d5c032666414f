/**
 * The controller's end of all node links: accepts an upgraded WebSocket, answers hello with a sync, then sends ordered
 * changes; takes status up and acknowledges it with the stored revision; opens streams. Knows neither the API server nor
 * the store: what it serves and where it writes are handed to it.
 */
import type { WebSocket } from 'ws';
import type { Logger } from '../base/log.js';
import type { KubeObject } from '../kube/meta.js';
import type { KubeEvent, Node } from '../kube/node.js';
import type { Pod, PodStatus } from '../kube/pod.js';
import type { NodeStats, StreamRequest, TokenRequest } from './frames.js';
import { HubConnection } from './hub-connection.js';
import type { sharedKinds } from './shared.js';
import type { LinkStream } from './stream.js';

export interface HubChange {
  readonly revision: number;
  readonly object: KubeObject;
  readonly previous?: KubeObject | undefined;
  readonly deleted: boolean;
}

export type LinkedKind = 'Pod' | 'ConfigMap' | 'Secret' | (typeof sharedKinds)[number];

/** What the hub reads: the controller's cache. */
export interface HubView {
  readonly incarnation: string;
  readonly revision: number;
  list(kind: LinkedKind): Iterable<KubeObject>;
  get(kind: LinkedKind, namespace: string | undefined, name: string): KubeObject | undefined;
  /** Changes of these kinds, in order, each once. */
  subscribe(listener: (change: HubChange) => void): { close(): void };
}

/** Where observed state goes; every call resolves with the revision it was stored at, or rejects with a StatusError. */
export interface HubSink {
  node(name: string, node: Node): Promise<number>;
  heartbeat(name: string): Promise<number>;
  podStatus(name: string, pod: { namespace: string; name: string; uid: string }, status: PodStatus): Promise<number>;
  podGone(name: string, pod: { namespace: string; name: string; uid: string }, status?: PodStatus): Promise<number>;
  mirror(name: string, pod: Pod): Promise<number>;
  event(name: string, event: KubeEvent): Promise<number>;
  /** A token for a pod of that node; rejects with a StatusError for any other. */
  token(name: string, request: TokenRequest): Promise<string>;
}

export interface HubOptions {
  readonly view: HubView;
  readonly sink: HubSink;
  readonly log: Logger;
  readonly onStats?: (node: string, stats: NodeStats) => void;
  /** A silent link is declared dead after two missed pings. */
  readonly pingMs?: number;
}

export class LinkHub {
  readonly #connections = new Map<string, HubConnection>();
  readonly #options: HubOptions;
  readonly #subscription: { close(): void };

  constructor(options: HubOptions) {
    this.#options = options;
    this.#subscription = options.view.subscribe(change => {
      for (const connection of this.#connections.values()) connection.change(change);
    });
  }

  /** @param node from the certificate. A second connection of the same node replaces the first (close code 4001). */
  accept(socket: WebSocket, node: string): void {
    this.#connections.get(node)?.close(4001, 'replaced by a newer connection of this node');
    const connection: HubConnection = new HubConnection(socket, node, { pingMs: 10_000, ...this.#options }, () => {
      if (this.#connections.get(node) === connection) this.#connections.delete(node);
    });
    this.#connections.set(node, connection);
  }

  isConnected(node: string): boolean {
    return this.#connections.has(node);
  }

  /** Undefined if that node has no link now. */
  open(node: string, request: StreamRequest): LinkStream | undefined {
    return this.#connections.get(node)?.open(request);
  }

  close(): void {
    this.#subscription.close();
    for (const connection of this.#connections.values()) connection.close(1001, 'controller is stopping');
  }
}
