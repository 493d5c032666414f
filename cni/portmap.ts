/**
 * Ports of this node that lead to pods (hostPort), in one table of nft: `any` for every address of the node, `one` for a
 * given one. There is one element per port, and no rule. What is mapped is kept in a file per container, written before the
 * kernel is told: a new process, or one that finds its rules flushed, makes the same table again in one transaction.
 *
 * The node's own loopback works too (`curl 127.0.0.1:PORT` on the node): for that the bridge may route 127/8, and `guard`
 * keeps pods from using it (CVE-2020-8558).
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AddressInfo, conntrackDelete, type ForgetConnections, netlink, nftCount } from '../native/index.js';
import { writeFileAtomic } from '../src/base/atomic-file.js';
import { CniError, type PortMapping } from './contract.js';
import { nft } from './rules.js';

export interface PortmapConfig {
  /** Folder of our files. */
  readonly dataDir: string;
  readonly bridge: string;
}

/** The ports of one container. */
export interface Mapped {
  readonly address: string;
  readonly ports: readonly PortMapping[];
}

const table = 'keelson_hostports';
const ipv4 = 2;
const udp = 17;
/** The rules of `portmapRules`: what is counted to see whether somebody flushed them. */
const ruleCount = 8;

export class Portmap {
  readonly #folder: string;
  readonly #mapped = new Map<string, Mapped>();
  #turn: Promise<unknown> = Promise.resolve();
  #active = false;

  constructor(readonly config: PortmapConfig) {
    this.#folder = join(config.dataDir, 'hostports');
  }

  /** What a former process mapped. */
  async setup(): Promise<void> {
    for (const name of await readdir(this.#folder).catch(() => [])) {
      const mapped = await readMapped(join(this.#folder, name));
      if (mapped) this.#mapped.set(name, mapped);
    }
    if (this.#mapped.size > 0) await this.#apply();
  }

  /** Repeatable. Of two containers that want one port the later one has it: the other is on its way out. */
  async add(containerID: string, mapped: Mapped): Promise<void> {
    if (mapped.ports.length === 0) return;
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await writeFileAtomic(join(this.#folder, containerID), JSON.stringify(mapped));
    this.#mapped.delete(containerID);
    this.#mapped.set(containerID, mapped);
    await this.#apply();
    await forget(mapped, [mapped.address]);
  }

  async del(containerID: string): Promise<void> {
    const mapped = this.#mapped.get(containerID);
    if (!mapped) return;
    this.#mapped.delete(containerID);
    await this.#apply();
    await forget(mapped, this.#holders(mapped));
    await rm(join(this.#folder, containerID), { force: true });
  }

  /** Addresses of others that have one of its ports by now. */
  #holders({ ports }: Mapped): string[] {
    const wanted = new Set(ports.map(({ hostPort }) => hostPort));
    return [...this.#mapped.values()]
      .filter(other => other.ports.some(({ hostPort }) => wanted.has(hostPort)))
      .map(({ address }) => address);
  }

  async gc(valid: ReadonlySet<string>): Promise<void> {
    const stale = [...this.#mapped.keys()].filter(id => !valid.has(id));
    for (const id of stale) await this.del(id);
  }

  /** Makes the rules again if somebody has taken them away. @returns whether that was so */
  async check(): Promise<boolean> {
    if (!this.#active || this.#mapped.size === 0) return false;
    const found = await nftCount(ipv4, table, ['any', 'one']);
    const wanted = elements(this.#mapped.values());
    if (found.rules === ruleCount && found.elements[0] === wanted.any.size && found.elements[1] === wanted.one.size)
      return false;
    await this.#apply();
    return true;
  }

  async teardown(): Promise<void> {
    await nft(`add table ip ${table}\ndelete table ip ${table}\n`);
    await rm(this.#folder, { recursive: true, force: true });
    this.#mapped.clear();
  }

  /** One after the other, each with everything: the last one is right. */
  #apply(): Promise<void> {
    const run = this.#turn.then(async () => {
      if (!this.#active) await allowLoopback(this.config.bridge);
      await nft(portmapRules([...this.#mapped.values()], this.config.bridge));
      this.#active = true;
    });
    this.#turn = run.catch(() => {});
    return run;
  }
}

/**
 * UDP has no end: a client that goes on would be led where the port led before. After the rules, so that its next packet
 * meets them.
 */
async function forget({ ports }: Mapped, holders: readonly string[]): Promise<void> {
  if (!ports.some(({ protocol }) => protocol === 'udp')) return;
  const [found] = (await netlink(null, [{ op: 'address.list' }])) as [AddressInfo[]];
  const own = found.filter(({ family }) => family === 4).map(({ address }) => address.split('/')[0]!);
  await conntrackDelete(ipv4, udp, staleUdp(ports, own, holders));
}

/**
 * Also what came while the port led nowhere, which was not translated. Pure.
 * @param own addresses of the node
 * @param holders who may keep connections of these ports
 */
export function staleUdp(
  ports: readonly PortMapping[],
  own: readonly string[],
  holders: readonly string[],
): ForgetConnections[] {
  return ports
    .filter(({ protocol }) => protocol === 'udp')
    .flatMap(({ hostPort: port, containerPort, hostIP }) => {
      const keep = holders.map(address => `${address} ${containerPort}`);
      return (isWildcard(hostIP) ? own : [hostIP]).map(address => ({ ...(address && { address }), port, keep }));
    });
}

/** Pure. One transaction: there is no moment without the ports that stay. */
export function portmapRules(all: readonly Mapped[], bridge: string): string {
  const { any, one, own } = elements(all);
  const fill = (name: string, list: Iterable<string>): string => {
    const text = [...list].join(', ');
    return text && `add element ip ${table} ${name} { ${text} }\n`;
  };
  const entries = (map: ReadonlyMap<string, string>) => [...map].map(([key, value]) => `${key} : ${value}`);
  const lines = [
    `add table ip ${table}`,
    `delete table ip ${table}`,
    `table ip ${table} {`,
    '  map any { type inet_proto . inet_service : ipv4_addr . inet_service; }',
    '  map one { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }',
    '  set own { type ipv4_addr . ipv4_addr; }',
    '  chain lead {',
    '    dnat ip to ip daddr . meta l4proto . th dport map @one',
    '    dnat ip to meta l4proto . th dport map @any',
    '  }',
    '  chain prerouting {',
    '    type nat hook prerouting priority -105; policy accept;',
    '    fib daddr type local ip daddr != 127.0.0.0/8 jump lead',
    '  }',
    '  chain output {',
    '    type nat hook output priority -105; policy accept;',
    '    fib daddr type local jump lead',
    '  }',
    '  chain postrouting {',
    '    type nat hook postrouting priority 95; policy accept;',
    '    ct status dnat ip saddr . ip daddr @own masquerade',
    `    ct status dnat oifname "${bridge}" ip saddr 127.0.0.0/8 masquerade`,
    '  }',
    '  chain guard {',
    '    type filter hook prerouting priority raw; policy accept;',
    `    iifname "${bridge}" ip daddr 127.0.0.0/8 drop`,
    `    iifname "${bridge}" ip saddr 127.0.0.0/8 drop`,
    '  }',
    '}',
  ];
  return `${lines.join('\n')}\n${fill('any', entries(any))}${fill('one', entries(one))}${fill('own', own)}`;
}

function elements(all: Iterable<Mapped>) {
  const any = new Map<string, string>();
  const one = new Map<string, string>();
  const own = new Set<string>();
  for (const { address, ports } of all) {
    own.add(`${address} . ${address}`);
    for (const { hostPort, containerPort, protocol, hostIP } of ports) {
      const key = `${protocol} . ${hostPort}`;
      const target = `${address} . ${containerPort}`;
      if (isWildcard(hostIP)) any.set(key, target);
      else one.set(`${hostIP} . ${key}`, target);
    }
  }
  return { any, one, own };
}

const isWildcard = (hostIP: string | undefined): boolean => !hostIP || hostIP === '0.0.0.0' || hostIP === '::';

async function readMapped(file: string): Promise<Mapped | undefined> {
  try {
    const { address, ports } = JSON.parse(await readFile(file, 'utf8')) as Mapped;
    return address && Array.isArray(ports) ? { address, ports } : undefined;
  } catch {
    return undefined; // half written by a crash: its container was not told of success
  }
}

async function allowLoopback(bridge: string): Promise<void> {
  const path = `/proc/sys/net/ipv4/conf/${bridge}/route_localnet`;
  await writeFile(path, '1').catch(cause => {
    throw new CniError(100, `Cannot write "1" to "${path}"`, undefined, { cause });
  });
}
