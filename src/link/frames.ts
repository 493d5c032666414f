/**
 * The node protocol: what goes over the one WebSocket between a node and the controller (design §9).
 *
 * Control frames are JSON text, at most 4 MiB; stream frames are binary: u32 stream id (big-endian), u8 channel, payload of
 * at most 64 KiB. Desired state goes down, observed state comes up. A message is "the state of key K at revision R":
 * repeated or reordered ones are harmless. The node's name comes from its certificate, never from a frame.
 */
import type { KubeObject } from '../kube/meta.js';
import type { KubeEvent, Node } from '../kube/node.js';
import type { Pod, PodStatus } from '../kube/pod.js';
import type { Status } from '../kube/status.js';

export const protocolVersion = 1;
export const maxControlBytes = 4 * 1024 * 1024;
export const maxStreamPayload = 64 * 1024;
/** Streams that one node serves at the same time: logs, exec, attach, connections into pods. */
export const maxStreamsPerNode = 1000;
/** A stream's sender may have this many unacknowledged bytes per channel under way. */
export const initialCredit = 256 * 1024;

/** Controller → node. */
export type DownFrame =
  | {
      readonly t: 'welcome';
      readonly protocol: number;
      readonly node: string;
      readonly incarnation: string;
      readonly pingMs: number;
    }
  /**
   * Everything this node needs at `revision`; replaces what it knew. Split over several frames, the last one has `last`.
   * After a `hello` with a known revision, objects that have not changed since are only named: `keep` holds their UIDs.
   */
  | {
      readonly t: 'sync';
      readonly revision: number;
      readonly objects: readonly KubeObject[];
      readonly keep: readonly string[];
      readonly last: boolean;
    }
  /** What changed since, in order. */
  | { readonly t: 'changes'; readonly revision: number; readonly changes: readonly DesiredChange[] }
  /** Answer to an up frame with `id`: stored at `revision`, or refused. */
  | { readonly t: 'ack'; readonly id: number; readonly revision?: number; readonly error?: Status }
  | { readonly t: 'open'; readonly stream: number; readonly request: StreamRequest }
  /** Answer to a `tokenRequest`: the token, or why there is none. */
  | { readonly t: 'token'; readonly request: number; readonly token?: string; readonly error?: Status }
  | { readonly t: 'credit'; readonly stream: number; readonly channel: number; readonly bytes: number }
  /** No more data on this channel from the sender (end of stdin). */
  | { readonly t: 'end'; readonly stream: number; readonly channel: number }
  /** The stream is over, from either side. The node's carries the result. */
  | { readonly t: 'close'; readonly stream: number; readonly status?: Status };

export type DesiredChange =
  | { readonly put: KubeObject }
  | {
      readonly gone: {
        readonly kind: string;
        readonly namespace?: string;
        readonly name: string;
        readonly uid: string;
      };
    };

/** Node → controller. Frames with `id` are acknowledged. */
export type UpFrame =
  /** First frame. With `incarnation` and `revision` of the last sync the controller sends only the difference, if it can. */
  | {
      readonly t: 'hello';
      readonly protocol: number;
      readonly version: string;
      readonly bootID: string;
      readonly incarnation?: string;
      readonly revision?: number;
    }
  /** Registers the Node, or updates its status and labels of the node's own. */
  | { readonly t: 'node'; readonly id: number; readonly node: Node }
  | { readonly t: 'heartbeat'; readonly id: number }
  | {
      readonly t: 'podStatus';
      readonly id: number;
      readonly namespace: string;
      readonly name: string;
      readonly uid: string;
      readonly status: PodStatus;
    }
  /**
   * Every container of it is stopped, network and cgroup are gone: the object may be removed (grace 0, UID precondition).
   * Carries the last status, so that its exit codes are seen before the object goes.
   */
  | {
      readonly t: 'podGone';
      readonly id: number;
      readonly namespace: string;
      readonly name: string;
      readonly uid: string;
      readonly status?: PodStatus;
    }
  /** A static pod, to be mirrored: created or replaced as the API object of that name. */
  | { readonly t: 'mirror'; readonly id: number; readonly pod: Pod }
  | { readonly t: 'event'; readonly id: number; readonly event: KubeEvent }
  /** Asks for a token of a pod's ServiceAccount; answered by a `token` frame with the same number. */
  | ({ readonly t: 'tokenRequest'; readonly request: number } & TokenRequest)
  /** Newest usage; not stored, not acknowledged. */
  | { readonly t: 'stats'; readonly stats: NodeStats }
  | { readonly t: 'credit'; readonly stream: number; readonly channel: number; readonly bytes: number }
  | { readonly t: 'end'; readonly stream: number; readonly channel: number }
  | { readonly t: 'close'; readonly stream: number; readonly status?: Status };

/** A ServiceAccount token for a pod of the node that asks; bound to that pod. */
export interface TokenRequest {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Absent: for this cluster's API. */
  readonly audience?: string;
  readonly seconds: number;
}

/** What went over a pod's link since its sandbox was made, as the pod sees it. */
export interface Traffic {
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

/** Usage of one node, sampled every few seconds. CPU in nanoseconds since start (cumulative) and in cores (rate). */
export interface NodeStats {
  readonly time: string;
  readonly cpuCores: number;
  readonly memoryWorkingSetBytes: number;
  readonly pods: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly cpuCores: number;
    /** -1 where the kernel has no memory controller to tell. */
    readonly memoryWorkingSetBytes: number;
    /** Absent for pods of the node's network. */
    readonly network?: Traffic;
    readonly containers: readonly {
      readonly name: string;
      readonly cpuCores: number;
      readonly memoryWorkingSetBytes: number;
    }[];
  }[];
}

/** What the controller can ask a node to stream. */
export type StreamRequest =
  | {
      readonly kind: 'logs';
      readonly namespace: string;
      readonly pod: string;
      readonly uid: string;
      readonly container: string;
      readonly follow: boolean;
      readonly previous: boolean;
      readonly timestamps: boolean;
      readonly tailLines?: number;
      readonly limitBytes?: number;
      /** RFC 3339. */
      readonly sinceTime?: string;
    }
  | {
      readonly kind: 'exec';
      readonly namespace: string;
      readonly pod: string;
      readonly uid: string;
      readonly container: string;
      readonly command: readonly string[];
      readonly stdin: boolean;
      readonly stdout: boolean;
      readonly stderr: boolean;
      readonly tty: boolean;
    }
  | {
      readonly kind: 'attach';
      readonly namespace: string;
      readonly pod: string;
      readonly uid: string;
      readonly container: string;
      readonly stdin: boolean;
      readonly stdout: boolean;
      readonly stderr: boolean;
      readonly tty: boolean;
    }
  /**
   * One TCP connection to a port of the pod's loopback, made inside its network namespace: port-forward and proxy. Channel
   * stdin goes to the pod, stdout comes from it; each side's `end` is a half-close.
   */
  | {
      readonly kind: 'connect';
      readonly namespace: string;
      readonly pod: string;
      readonly uid: string;
      readonly port: number;
    };

/** Channels of exec and attach as in v5.channel.k8s.io; logs use stdout only, connections stdin and stdout. */
export const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;

export interface StreamFrame {
  readonly stream: number;
  readonly channel: number;
  readonly payload: Buffer;
}

export function encodeStreamFrame(stream: number, channelNumber: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(5 + payload.length);
  frame.writeUInt32BE(stream, 0);
  frame.writeUInt8(channelNumber, 4);
  frame.set(payload, 5);
  return frame;
}

/** Throws a RangeError with the reason for a frame of the wrong shape. */
export function decodeStreamFrame(frame: Buffer): StreamFrame {
  if (frame.length < 5) throw new RangeError(`stream frame of ${frame.length} bytes; at least 5 are needed`);
  if (frame.length - 5 > maxStreamPayload)
    throw new RangeError(`stream payload of ${frame.length - 5} bytes; at most ${maxStreamPayload} are allowed`);
  return { stream: frame.readUInt32BE(0), channel: frame.readUInt8(4), payload: frame.subarray(5) };
}
