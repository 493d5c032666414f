/** Services by the agent itself: packets are led to its ports, and it carries what they hold to the endpoints. */
import { nftCount, nftGeneration } from '../../../native/index.js';
import type {
  BackendOptions,
  Family,
  ProxyBackend,
  ProxyEndpoint,
  ServiceEntry,
  ServiceTable,
  TableDifference,
} from '../contract.js';
import { forgetStale } from '../forget.js';
import { NftablesBackend } from '../nftables/backend.js';
import { nft } from '../nftables/run.js';
import { change, ElementUses, identity } from '../nftables/text.js';
import { deletion, elementsOf, layout, setNames, tableName, tableOf } from './layout.js';
import { TcpProxy } from './tcp.js';
import { UdpProxy } from './udp.js';

const families = ['IPv4', 'IPv6'] as const;

interface Served {
  readonly world: TcpProxy | UdpProxy | undefined;
  readonly inside: TcpProxy | UdpProxy | undefined;
  readonly elements: readonly string[];
  readonly family: Family;
}

export class UserspaceBackend implements ProxyBackend {
  readonly name = 'userspace';
  readonly #options: BackendOptions;
  readonly #served = new Map<string, Served>();
  readonly #uses = { IPv4: new ElementUses(), IPv6: new ElementUses() } as const;
  #rules: Readonly<Record<Family, number>> = { IPv4: -1, IPv6: -1 };
  #generation: number | undefined;

  constructor(options: BackendOptions) {
    this.#options = options;
  }

  /** It needs of nftables what that backend needs. */
  unusable(): Promise<string | undefined> {
    return new NftablesBackend(this.#options).unusable();
  }

  async sync(table: ServiceTable): Promise<void> {
    for (const key of [...this.#served.keys()]) if (!table.has(key)) this.#drop(key);
    for (const entry of table.values()) await this.#serve(entry);
    await nft(families.map(family => layout(family, this.#options) + this.#all(family)).join(''));
    for (const family of families) this.#uses[family].difference();
    this.#rules = { IPv4: await rulesOf('IPv4'), IPv6: await rulesOf('IPv6') };
    this.#generation = undefined;
    await forgetStale({ added: [...table.values()], changed: [], removed: [] });
  }

  async apply(difference: TableDifference): Promise<void> {
    const { added, changed, removed } = difference;
    for (const { key } of removed) this.#drop(key);
    for (const entry of [...added, ...changed.map(one => one.after)]) await this.#serve(entry);
    const text = families.map(family => {
      const { gone, come } = this.#uses[family].difference();
      return change(tableOf(family), 'delete', gone) + change(tableOf(family), 'add', come);
    });
    if (text.join('') !== '') await nft(text.join(''));
    this.#generation = undefined;
    await forgetStale(difference);
  }

  async intact(): Promise<boolean> {
    const generation = await nftGeneration();
    if (generation === this.#generation) return true;
    for (const family of families) {
      const { rules, elements } = await nftCount(family === 'IPv4' ? 2 : 10, tableName, setNames);
      if (rules !== this.#rules[family]) return false;
      if (setNames.some((set, i) => elements[i] !== this.#uses[family].count(set))) return false;
    }
    this.#generation = generation;
    return true;
  }

  async close(): Promise<void> {
    for (const key of [...this.#served.keys()]) this.#drop(key);
  }

  async cleanup(): Promise<void> {
    await nft(families.map(deletion).join(''));
    await this.close();
  }

  #all(family: Family): string {
    return change(tableOf(family), 'add', this.#uses[family].all());
  }

  /** Ports stay those that they were, so established connections do not notice. */
  async #serve(entry: ServiceEntry): Promise<void> {
    const before = this.#served.get(entry.key);
    const world = await this.#carrier(entry, before?.world, entry.endpoints);
    const inside = await this.#carrier(entry, before?.inside, entry.inside ?? []);
    const elements = elementsOf(entry, { world: world?.port, inside: inside?.port }).map(identity);
    this.#uses[entry.family].take(before?.elements ?? []);
    this.#uses[entry.family].put(elements);
    this.#served.set(entry.key, { world, inside, elements, family: entry.family });
  }

  async #carrier(
    { protocol, family, affinitySeconds }: ServiceEntry,
    known: TcpProxy | UdpProxy | undefined,
    endpoints: readonly ProxyEndpoint[],
  ): Promise<TcpProxy | UdpProxy | undefined> {
    // Node.js has no SCTP: such clients are refused
    if (endpoints.length === 0 || protocol === 'sctp') return void known?.close();
    const carrier = known ?? (await (protocol === 'tcp' ? TcpProxy.open(family) : UdpProxy.open(family)));
    carrier.set(endpoints, affinitySeconds);
    return carrier;
  }

  #drop(key: string): void {
    const known = this.#served.get(key);
    this.#served.delete(key);
    known?.world?.close();
    known?.inside?.close();
    if (known) this.#uses[known.family].take(known.elements);
  }
}

const rulesOf = async (family: Family): Promise<number> =>
  (await nftCount(family === 'IPv4' ? 2 : 10, tableName, [])).rules;
