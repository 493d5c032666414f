/** What the page shows, as plain rows; the wire format of the feed. Shared by server and page. */

export interface PodRow {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  /** As `kubectl get pods` prints it: Running, CrashLoopBackOff, … */
  readonly status: string;
  readonly ready: string;
  readonly restarts: number;
  readonly node: string;
  readonly ip: string;
  /** RFC 3339. */
  readonly created: string;
}

export interface NodeRow {
  readonly key: string;
  readonly name: string;
  readonly ready: boolean;
  readonly reason: string;
  readonly address: string;
  readonly version: string;
  readonly kernel: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly maxPods: number;
  readonly created: string;
}

export interface EventRow {
  readonly key: string;
  readonly at: string;
  readonly type: string;
  readonly reason: string;
  readonly object: string;
  readonly message: string;
  readonly count: number;
}

/** Live usage; -1 where the kernel cannot tell. */
export interface Usage {
  readonly cpuCores: number;
  readonly memoryBytes: number;
  /** Of a pod with a link of its own: what it received and sent since it was made. */
  readonly network?: { readonly receivedBytes: number; readonly sentBytes: number };
}

/** Server → page. `hello` empties what the page knew. */
export type FeedMessage =
  | { readonly t: 'hello'; readonly cluster: string }
  | {
      readonly t: 'rows';
      readonly pods?: readonly PodRow[];
      readonly nodes?: readonly NodeRow[];
      readonly events?: readonly EventRow[];
      /** Keys of rows that are gone. */
      readonly gone?: readonly string[];
    }
  | {
      readonly t: 'usage';
      readonly node: string;
      readonly total: Usage;
      readonly pods: Readonly<Record<string, Usage>>;
    };

export const closeCodes = { unauthorized: 4401, badFrame: 4400, tooSlow: 4408 } as const;
