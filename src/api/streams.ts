/** What the API needs of a node's link for logs, exec, attach and connections into pods. The link's hub gives it. */
import type { Status } from '../kube/status.js';
import type { StreamRequest } from '../link/frames.js';
import { unavailable } from './errors.js';

export type { StreamRequest };

export interface NodeStreamEvents {
  /** Resolve when the data has been taken: only then the node may send more. */
  onData(channel: number, data: Buffer): Promise<void> | void;
  onEnd(channel: number): void;
  /** Once. `lost`: the link broke; otherwise the node's result, if it has one. */
  onClose(status: Status | undefined, lost: boolean): void;
}

/** One stream to a node; channels as in v5.channel.k8s.io. */
export interface NodeStream {
  /** Call at once after opening: what arrives before is lost. */
  listen(events: NodeStreamEvents): void;
  /** Resolves when the node may be sent more; rejects if the stream has closed. */
  write(channel: number, data: Uint8Array): Promise<void>;
  end(channel: number): void;
  close(status?: Status): void;
}

export interface NodeStreams {
  /** Asked before a handshake; without it, only `open` tells. */
  isConnected?(node: string): boolean;
  /** Undefined: the node has no link now. */
  open(node: string, request: StreamRequest): NodeStream | undefined | Promise<NodeStream | undefined>;
}

const offline = (node: string) => unavailable(`node ${JSON.stringify(node)} is not connected`);

/** Throws StatusError 503 for a node without a link, as far as that can be told without opening a stream. */
export function requireNode(streams: NodeStreams, node: string): void {
  if (streams.isConnected?.(node) === false) throw offline(node);
}

/** Throws StatusError: 503 without a link, 429 when the node serves as many streams as it may. */
export async function openStream(streams: NodeStreams, node: string, request: StreamRequest): Promise<NodeStream> {
  const stream = await streams.open(node, request);
  if (!stream) throw offline(node);
  return stream;
}
