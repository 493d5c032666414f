/** The shapes that cross the native boundary. Plain data in, plain data or one handle out. */

export interface SandboxSpec {
  /** For errors: `pod default/web-0`. */
  readonly object: string;
  /** Absolute path of the leaf cgroup that pause is cloned into; made (with parents) if missing. */
  readonly cgroup: string;
  /** Namespaces that pause gets of its own; the others are the node's. */
  readonly namespaces: {
    readonly net: boolean;
    readonly ipc: boolean;
    readonly uts: boolean;
    /** true with shareProcessNamespace: pause is PID 1 of the pod. */
    readonly pid: boolean;
  };
  /** A user namespace, which owns the others: IDs 0 to 65535 inside are the node's from this one on. */
  readonly idBase?: number;
  /** Set in the new UTS namespace. At most 64 bytes. */
  readonly hostname?: string;
  /** Written inside the new namespaces, e.g. `net.ipv4.ip_unprivileged_port_start` → `0`. */
  readonly sysctls?: readonly { readonly name: string; readonly value: string }[];
  /** Stays as it is where the kernel refuses to lower it (no CAP_SYS_RESOURCE). */
  readonly oomScoreAdj?: number;
}

/** What identifies a process for ever: pid plus start time (field 22 of /proc/PID/stat, clock ticks since boot). */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: number;
}

export interface ExitStatus {
  /** Exit code, or undefined if killed by a signal or not our child. */
  readonly code?: number;
  readonly signal?: number;
}

export interface SpawnSpec {
  readonly object: string;
  /** One of our static programs, run from a sealed memfd. */
  readonly program: 'pause' | 'shim';
  readonly args: readonly string[];
  /** Handed over as a sealed, read-only memfd on fd 3. */
  readonly config: Uint8Array;
  /**
   * So many AF_UNIX SOCK_STREAM socket pairs are made; the child has its ends on fd 4, 5, …; ours come back as raw fds
   * (O_CLOEXEC, non-blocking) that the caller owns, e.g. `new net.Socket({ fd })`.
   */
  readonly sockets: number;
  /** Absolute path of the cgroup to clone into (CLONE_INTO_CGROUP); made if missing. */
  readonly cgroup?: string;
}

/** Files of one cgroup, as written by the caller's pure function: name → value. Written in the order given. */
export type CgroupFiles = readonly (readonly [file: string, value: string])[];

export interface VolumeFile {
  /** Relative, without `..`. */
  readonly path: string;
  readonly data: Uint8Array;
  readonly mode: number;
  /** User ID; root without it. The group is the volume's. */
  readonly owner?: number;
}

/** One step of `writeFiles`. Modes of files are as given, whatever the umask is. */
export type FileOp =
  /** With its parents, which get the same mode. One that is there stays as it is. */
  | { readonly op: 'directory'; readonly path: string; readonly mode: number }
  /** In place: whoever has it open or mounted sees the new content. */
  | { readonly op: 'write'; readonly path: string; readonly data: string; readonly mode: number }
  /** Fails with EEXIST if it is there, whatever it is. */
  | { readonly op: 'create'; readonly path: string; readonly data: string; readonly mode: number }
  /** By a rename: readers see the old content or the new, never a part. */
  | { readonly op: 'replace'; readonly path: string; readonly data: string; readonly mode: number }
  /**
   * A directory of files whose content changes as a whole: a fresh directory, `..data` switched to it by a rename, one
   * link per first component; what is not in `files` disappears. Made if it is missing.
   */
  | { readonly op: 'volume'; readonly path: string; readonly files: readonly VolumeFile[]; readonly group?: number }
  /** A file system of its own on a directory, made if missing. Where one of that type is mounted already, nothing. */
  | {
      readonly op: 'mount';
      readonly path: string;
      readonly type: 'tmpfs' | 'hugetlbfs' | 'overlay';
      readonly options: string;
    }
  /** Out of sight now, out of memory with its last user. Nothing mounted is success. */
  | { readonly op: 'unmount'; readonly path: string }
  /** fsync of a file or directory. */
  | { readonly op: 'sync'; readonly path: string };

/** What a device program allows. */
export interface DeviceRule {
  /** Character, block, or both. */
  readonly type: 'c' | 'b' | 'a';
  /** Undefined: any. */
  readonly major?: number;
  readonly minor?: number;
  /** Of r, w and m (mknod). */
  readonly access: string;
}

export interface CgroupStats {
  /** -1 where the controller is not there. */
  readonly cpuUsageUsec: number;
  readonly cpuThrottledUsec: number;
  readonly memoryCurrentBytes: number;
  /** memory.current − inactive_file, never below 0; -1 if unknown. */
  readonly memoryWorkingSetBytes: number;
  readonly memoryPeakBytes: number;
  readonly oomKills: number;
  readonly pids: number;
  readonly populated: boolean;
}

/** A network namespace: the node's own (null), or a path such as /proc/PID/ns/net. */
export type NetNs = string | null;

/** One rtnetlink request. Names, not indexes; addresses as text (`10.244.0.5`, with `/24` where a prefix is meant). */
export type NetlinkOp =
  | { readonly op: 'bridge.add'; readonly name: string; readonly mtu?: number; readonly mac?: string }
  | {
      /** A pair whose peer is born in `peerNetns`. The host end is enslaved and up; the peer is not up yet. */
      readonly op: 'veth.add';
      readonly name: string;
      readonly peer: string;
      readonly peerNetns: string;
      readonly master?: string;
      readonly mtu?: number;
      readonly mac?: string;
      readonly peerMac?: string;
      readonly hairpin?: boolean;
      readonly group?: number;
    }
  | {
      readonly op: 'vxlan.add';
      readonly name: string;
      readonly id: number;
      readonly port: number;
      readonly local?: string;
      readonly dev?: string;
      readonly mtu?: number;
      readonly mac?: string;
      readonly learning?: boolean;
    }
  | {
      readonly op: 'link.set';
      readonly name: string;
      readonly up?: boolean;
      readonly mtu?: number;
      readonly mac?: string;
      readonly master?: string | null;
      readonly rename?: string;
      readonly hairpin?: boolean;
      /** For link.deleteGroup. 0 is everybody's default. */
      readonly group?: number;
    }
  | { readonly op: 'link.delete'; readonly name: string; readonly ifMissing?: 'ignore' }
  | { readonly op: 'link.deleteGroup'; readonly group: number }
  | { readonly op: 'address.add'; readonly dev: string; readonly address: string; readonly ifExists?: 'ignore' }
  | { readonly op: 'address.delete'; readonly dev: string; readonly address: string; readonly ifMissing?: 'ignore' }
  | {
      readonly op: 'route.add' | 'route.replace' | 'route.delete';
      readonly to: string;
      readonly via?: string;
      readonly dev?: string;
      readonly src?: string;
      readonly onlink?: boolean;
      readonly ifMissing?: 'ignore';
    }
  | {
      readonly op: 'neighbour.replace' | 'neighbour.delete';
      readonly dev: string;
      readonly address: string;
      readonly mac: string;
      readonly ifMissing?: 'ignore';
    }
  | {
      readonly op: 'fdb.replace' | 'fdb.delete';
      readonly dev: string;
      readonly mac: string;
      readonly to: string;
      readonly ifMissing?: 'ignore';
    }
  | { readonly op: 'link.list' }
  | { readonly op: 'address.list' }
  | { readonly op: 'route.list' };

export interface LinkInfo {
  readonly index: number;
  readonly name: string;
  readonly kind?: string;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly master?: number;
  readonly group: number;
  readonly rxBytes: number;
  readonly txBytes: number;
}
export interface AddressInfo {
  readonly index: number;
  readonly address: string;
  readonly family: 4 | 6;
}
export interface RouteInfo {
  readonly to: string;
  readonly via?: string;
  readonly dev?: number;
  readonly src?: string;
}

export interface VethSpec {
  readonly object: string;
  readonly netns: string;
  readonly hostName: string;
  /** Name inside, `eth0`. */
  readonly name: string;
  readonly bridge?: string;
  readonly mtu?: number;
  readonly hairpin?: boolean;
  /** Link group of the host end, by which rules and link.deleteGroup know it. */
  readonly group?: number;
  /** With prefix: `10.244.0.5/24`. */
  readonly addresses: readonly string[];
  /** Default routes; no default route if empty. */
  readonly gateways: readonly string[];
  /**
   * true: the pod's end has a link-local address, at once. Else neither end has an IPv6 address but those above: the
   * kernel makes none by itself in either case (address generation mode `none`, set before there is a carrier). Not by
   * disable_ipv6: every /proc/sys/net path of another namespace stays in the kernel's directory cache, and at 1,000 pods
   * one open there costs a millisecond.
   */
  readonly ipv6: boolean;
}
export interface VethInfo {
  readonly hostIndex: number;
  readonly hostMac: string;
  readonly mac: string;
}

/** As the kernel counts protocol families, of addresses and of nftables' tables: IPv4, IPv6. */
export type NfFamily = 2 | 10;
/** Of tables: also those of what crosses bridges. */
export type TableFamily = NfFamily | 7;

/** Elements of one set or map of nftables. Keys and values lie one after another, each part padded to 4 bytes. */
export type NftElements = NftFlush | NftChange;

/** Whatever is in it goes. */
export interface NftFlush {
  readonly op: 'flush';
  readonly set: string;
}

export interface NftChange {
  readonly op: 'add' | 'delete';
  readonly set: string;
  readonly keySize: number;
  readonly keys: Uint8Array;
  /** Ends of intervals, as many as keys. */
  readonly keyEnds?: Uint8Array;
  readonly valueSize?: number;
  /** Of a map, as many as keys; not for `delete`. */
  readonly values?: Uint8Array;
  /** Of a verdict map instead: the chain that each key goes to. */
  readonly chains?: readonly string[];
}

export interface NftCount {
  /** -1: there is no such table, or not all of the sets. */
  readonly rules: number;
  readonly elements: readonly number[];
}

/** Connections to one service address that shall be forgotten. */
export interface ForgetConnections {
  /** Undefined: any address of the node, as long as it was translated. */
  readonly address?: string;
  readonly port: number;
  /** Endpoints, as `10.244.0.5 8080`, whose connections stay. */
  readonly keep: readonly string[];
}

/** A virtual server of the kernel (ip_vs): an address, or packets with a mark, in which case there is no protocol, address and port. */
export interface IpvsServiceName {
  readonly family: NfFamily;
  /** Number of the IP protocol. */
  readonly protocol: number;
  readonly address: string;
  readonly port: number;
  /** 0: none. */
  readonly mark: number;
}
export interface IpvsService extends IpvsServiceName {
  readonly scheduler: string;
  /** A client comes back to its destination for so many seconds; 0: any destination will do. */
  readonly persistence: number;
}
export interface IpvsDestination {
  readonly address: string;
  readonly port: number;
  /** 0: no new connections. */
  readonly weight: number;
}
export type IpvsOp =
  | { readonly op: 'service.add' | 'service.set'; readonly service: IpvsService }
  | { readonly op: 'service.delete'; readonly service: IpvsServiceName }
  | {
      readonly op: 'destination.add' | 'destination.set' | 'destination.delete';
      readonly service: IpvsServiceName;
      readonly destination: IpvsDestination;
    };
/** As the kernel has it. */
export interface IpvsState extends IpvsService {
  readonly destinations: readonly (IpvsDestination & {
    readonly active: number;
    readonly inactive: number;
    readonly persistent: number;
  })[];
}
