/**
 * Ports of this node that lead to pods (hostPort), in a table of nft for each family: `any` for every address of the node, `one` for a
 * given one. There is one element per port, and no rule. What is mapped is kept in a file per container, written before the
 * kernel is told: a new process, or one that finds its rules flushed, makes the same table again in one transaction.
 *
 * The node's own loopback works too (`curl 127.0.0.1:PORT` on the node): for that the bridge may route 127/8, and `guard`
 * keeps pods from using it (CVE-2020-8558).
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type AddressInfo, conntrackDelete, netlink, nftCount } from '../native/index.js';
import { writeFileAtomic } from '../src/base/atomic-file.js';
import { elementsOf, families, type Mapped, portmapRules, removePortmap, staleUdp, table } from './portmap-rules.js';
import { nft } from './rules.js';
import { sysctl } from './sysctls.js';

export interface PortmapConfig {
  /** Folder of our files. */
  readonly dataDir: string;
  readonly bridge: string;
}

const udp = 17;

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
    await forget(mapped, mapped.addresses);
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
      .flatMap(({ addresses }) => addresses);
  }

  async gc(valid: ReadonlySet<string>): Promise<void> {
    const stale = [...this.#mapped.keys()].filter(id => !valid.has(id));
    for (const id of stale) await this.del(id);
  }

  /** Makes the rules again if somebody has taken them away. @returns whether that was so */
  async check(): Promise<boolean> {
    if (!this.#active || this.#mapped.size === 0) return false;
    const all = [...this.#mapped.values()];
    const whole = await Promise.all(families.map(family => isWhole(family, all)));
    if (!whole.includes(false)) return false;
    await this.#apply();
    return true;
  }

  async teardown(): Promise<void> {
    await nft(removePortmap);
    await rm(this.#folder, { recursive: true, force: true });
    this.#mapped.clear();
  }

  /** One after the other, each with everything: the last one is right. */
  #apply(): Promise<void> {
    const { bridge } = this.config;
    const run = this.#turn.then(async () => {
      // so that the node's own loopback leads to pods, too; there is no such switch for IPv6
      if (!this.#active) await sysctl(`net/ipv4/conf/${bridge}/route_localnet`, '1');
      await nft(portmapRules([...this.#mapped.values()], bridge));
      this.#active = true;
    });
    this.#turn = run.catch(() => {});
    return run;
  }
}

async function isWhole(family: (typeof families)[number], all: readonly Mapped[]): Promise<boolean> {
  const { any, one } = elementsOf(family, all);
  if (any.size + one.size === 0) return true;
  const found = await nftCount(family.number, table, ['any', 'one']);
  return found.rules === family.ruleCount && found.elements[0] === any.size && found.elements[1] === one.size;
}

/**
 * UDP has no end: a client that goes on would be led where the port led before. After the rules, so that its next packet
 * meets them.
 */
async function forget({ ports }: Mapped, holders: readonly string[]): Promise<void> {
  if (!ports.some(({ protocol }) => protocol === 'udp')) return;
  const [found] = (await netlink(null, [{ op: 'address.list' }])) as [AddressInfo[]];
  for (const family of families) {
    const own = found.filter(one => one.family === family.version).map(({ address }) => address.split('/')[0]!);
    const stale = staleUdp(family.version, ports, own, holders);
    if (stale.length > 0) await conntrackDelete(family.number, udp, stale);
  }
}

/** Files of a former version have one address. */
async function readMapped(file: string): Promise<Mapped | undefined> {
  try {
    const kept = JSON.parse(await readFile(file, 'utf8')) as Partial<Mapped> & { address?: string };
    const addresses = kept.addresses ?? (kept.address ? [kept.address] : []);
    return addresses.length > 0 && Array.isArray(kept.ports) ? { addresses, ports: kept.ports } : undefined;
  } catch {
    return undefined; // half written by a crash: its container was not told of success
  }
}
