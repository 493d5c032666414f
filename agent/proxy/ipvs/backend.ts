/** Services by ip_vs: a virtual server for each address and port, and a small table of nftables for what it cannot do. */
import { type IpvsOp, ipvs, ipvsList, nftCount, nftGeneration } from '../../../native/index.js';
import type { BackendOptions, Family, ProxyBackend, ServiceEntry, ServiceTable, TableDifference } from '../contract.js';
import { forgetStale } from '../forget.js';
import { nft } from '../nftables/run.js';
import { change, identity } from '../nftables/text.js';
import { translateBridged } from '../sysctl.js';
import { familyOf } from '../table.js';
import { type Addresses, addresses, changeVips, missing, prepare, removeLink } from './kernel.js';
import { deletion, elementsOf, firstMark, layout, tableName, tableOf } from './layout.js';
import { markOf, named, nameOf, plan, type Server, serversOf, stateOf } from './servers.js';

const families = ['IPv4', 'IPv6'] as const;
/** How long an endpoint that is gone may keep connections, and how often is looked whether it still has any. */
const drainMs = 15 * 60_000;
const drainCheckMs = 10_000;
/** A look at everything takes at most this part of the time. */
const checkShare = 1 / 20;
const maxCheckMs = 8_000;

export class IpvsBackend implements ProxyBackend {
  readonly name = 'ipvs';
  readonly #options: BackendOptions;
  readonly #scheduler: string;
  /** By entry's key. */
  readonly #entries = new Map<string, { elements: readonly string[]; servers: readonly string[]; family: Family }>();
  /** How many entries need an element. */
  readonly #uses: Readonly<Record<Family, Map<string, number>>> = { IPv4: new Map(), IPv6: new Map() };
  readonly #marks = new Map<number, string>();
  /** What the kernel has, by name. */
  readonly #servers = new Map<string, Server>();
  /** Server and destination → when it was given up. */
  readonly #draining = new Map<string, number>();
  #addresses: Addresses = { vips: new Set(), node: [], hasLink: false };
  /** Other machines' own. */
  #machines: ReadonlySet<string> = new Set();
  #machinesChanged = false;
  /** What was applied last. */
  #table: ServiceTable = new Map();
  #generation: number | undefined;
  #nextCheck = 0;
  #nextDrain = 0;

  constructor(options: BackendOptions) {
    this.#options = options;
    this.#scheduler = options.ipvsScheduler ?? 'rr';
  }

  unusable(): Promise<string | undefined> {
    return missing(this.#scheduler);
  }

  setMachines(addresses: ReadonlySet<string>): void {
    this.#machinesChanged ||= [...addresses].sort().join() !== [...this.#machines].sort().join();
    this.#machines = addresses;
  }

  async sync(table: ServiceTable): Promise<void> {
    this.#table = table;
    this.#machinesChanged = false;
    const translates = await translateBridged();
    await prepare();
    this.#addresses = await addresses();
    this.#forgetAll();
    const found = await ipvsList();
    for (const state of found) this.#servers.set(nameOf(state), stateOf(state));
    const ours = found.filter(state => isOurs(state, this.#addresses));
    const wanted = new Map<string, Server | undefined>(ours.map(state => [nameOf(state), undefined]));
    for (const entry of table.values()) this.#put(entry, wanted);
    const text = families.map(family => this.#wholeText(family, translates)).join('');
    await changeVips([], this.#missingVips());
    await this.#tell(wanted);
    await nft(text);
    await changeVips(this.#spareVips(), []);
    this.#changed();
    await forgetStale({ added: [...table.values()], changed: [], removed: [] });
  }

  async apply(difference: TableDifference, table: ServiceTable): Promise<void> {
    this.#table = table;
    const { added, changed, removed } = difference;
    const before = new Map(families.map(family => [family, new Set(this.#uses[family].keys())]));
    const wanted = new Map<string, Server | undefined>();
    for (const entry of [...removed, ...changed.map(one => one.before)]) this.#take(entry, wanted);
    for (const entry of [...added, ...changed.map(one => one.after)]) this.#put(entry, wanted);
    await changeVips([], this.#missingVips());
    // endpoints first where some come, refusal first where all go: either way nobody is sent into the dark
    await this.#tell(wanted);
    const text = families.map(family => this.#partText(family, before.get(family) ?? new Set())).join('');
    if (text !== '') await nft(text);
    await changeVips(this.#spareVips(), []);
    this.#changed();
    await forgetStale(difference);
  }

  async intact(): Promise<boolean> {
    await this.#drain();
    const started = Date.now();
    const found = await addresses();
    if (this.#machinesChanged || found.node.join() !== this.#addresses.node.join()) {
      await this.sync(this.#table);
      return true;
    }
    const generation = await nftGeneration();
    for (const vip of this.#wantedVips()) if (!found.vips.has(vip)) return false;
    if (generation !== this.#generation && !(await tablesThere(this.#uses))) return false;
    this.#generation = generation;
    if (started < this.#nextCheck) return true;
    const isSame = sameServers(this.#servers, await ipvsList());
    this.#nextCheck = started + Math.min(maxCheckMs, (Date.now() - started) / checkShare);
    return isSame;
  }

  async cleanup(): Promise<void> {
    this.#forgetAll();
    const found = await addresses();
    if (found.hasLink) {
      const services = await ipvsList().catch(() => []);
      const ours = services.filter(service => isOurs(service, found));
      await ipvs(ours.map(service => ({ op: 'service.delete', service })));
    }
    await removeLink();
    await nft(families.map(deletion).join(''));
  }

  #forgetAll(): void {
    this.#entries.clear();
    this.#servers.clear();
    this.#draining.clear();
    this.#marks.clear();
    for (const family of families) this.#uses[family].clear();
  }

  #changed(): void {
    this.#generation = undefined;
    this.#nextCheck = 0;
  }

  #put(entry: ServiceEntry, wanted: Map<string, Server | undefined>): void {
    const isNodes = this.#addresses.node.includes(entry.address ?? '');
    // on our link it would cut us off from that machine, which serves there itself
    if (!isNodes && this.#machines.has(entry.address ?? '')) return;
    const mark = entry.inside?.length ? markOf(entry.key, this.#marks) : undefined;
    if (mark !== undefined) this.#marks.set(mark, entry.key);
    const node = this.#addresses.node.filter(address => familyOf(address) === entry.family);
    const servers = serversOf(entry, this.#scheduler, node, mark);
    for (const server of servers) wanted.set(nameOf(server.service), server);
    // neither is an address of the node given to our link: what else listens there goes on
    const elements = [...new Set(elementsOf(entry, mark, isNodes).map(identity))];
    const uses = this.#uses[entry.family];
    for (const element of elements) uses.set(element, (uses.get(element) ?? 0) + 1);
    const names = servers.map(({ service }) => nameOf(service));
    this.#entries.set(entry.key, { elements, servers: names, family: entry.family });
  }

  #take({ key, family }: ServiceEntry, wanted: Map<string, Server | undefined>): void {
    const known = this.#entries.get(key);
    this.#entries.delete(key);
    for (const [mark, owner] of this.#marks) if (owner === key) this.#marks.delete(mark);
    for (const name of known?.servers ?? []) wanted.set(name, undefined);
    const uses = this.#uses[family];
    for (const element of known?.elements ?? []) {
      const left = (uses.get(element) ?? 0) - 1;
      if (left > 0) uses.set(element, left);
      else uses.delete(element);
    }
  }

  async #tell(wanted: ReadonlyMap<string, Server | undefined>): Promise<void> {
    const ops: IpvsOp[] = [];
    for (const [name, want] of wanted) {
      const { ops: more, state } = plan(this.#servers.get(name), want);
      ops.push(...more);
      if (state) this.#servers.set(name, state);
      else this.#servers.delete(name);
      for (const [endpoint, weight] of state?.destinations ?? []) {
        const key = `${name}|${endpoint}`;
        if (weight > 0) this.#draining.delete(key);
        else if (!this.#draining.has(key)) this.#draining.set(key, Date.now());
      }
    }
    if (ops.length > 0) await ipvs(ops);
  }

  /** Endpoints that were given up, and have no connections any more, go. */
  async #drain(): Promise<void> {
    const now = Date.now();
    if (this.#draining.size === 0 || now < this.#nextDrain) return;
    this.#nextDrain = now + drainCheckMs;
    const ops: IpvsOp[] = [];
    for (const found of await ipvsList()) {
      const name = nameOf(found);
      const server = this.#servers.get(name);
      if (!server) continue;
      const left = new Map(server.destinations);
      for (const { address, port, active, inactive } of found.destinations) {
        const endpoint = `${address} ${port}`;
        const since = this.#draining.get(`${name}|${endpoint}`);
        if (since === undefined || (active + inactive > 0 && now < since + drainMs)) continue;
        this.#draining.delete(`${name}|${endpoint}`);
        left.delete(endpoint);
        ops.push({ op: 'destination.delete', service: server.service, destination: named(endpoint, 0) });
      }
      this.#servers.set(name, { ...server, destinations: left });
    }
    if (ops.length > 0) await ipvs(ops);
  }

  #wholeText(family: Family, translatesBridged: boolean): string {
    const nodes = this.#addresses.node.filter(address => familyOf(address) === family);
    return [
      layout(family, this.#options, translatesBridged),
      change(tableOf(family), 'add', [...this.#uses[family].keys(), ...nodes.map(address => `nodes ${address}`)]),
    ].join('');
  }

  #partText(family: Family, before: ReadonlySet<string>): string {
    const now = this.#uses[family];
    const gone = [...before].filter(element => !now.has(element));
    const come = [...now.keys()].filter(element => !before.has(element));
    return change(tableOf(family), 'delete', gone) + change(tableOf(family), 'add', come);
  }

  #wantedVips(): Set<string> {
    const vips = new Set<string>();
    for (const family of families)
      for (const element of this.#uses[family].keys()) if (element.startsWith('vips ')) vips.add(element.slice(5));
    return vips;
  }
  #missingVips(): string[] {
    const wanted = this.#wantedVips();
    const missingOnes = [...wanted].filter(vip => !this.#addresses.vips.has(vip));
    this.#addresses = { ...this.#addresses, vips: new Set([...this.#addresses.vips, ...missingOnes]) };
    return missingOnes;
  }
  #spareVips(): string[] {
    const wanted = this.#wantedVips();
    const spare = [...this.#addresses.vips].filter(vip => !wanted.has(vip));
    this.#addresses = { ...this.#addresses, vips: wanted };
    return spare;
  }
}

/** Those of others stay: their addresses are neither Services' nor, as long as nobody else balances here, the node's. */
const isOurs = ({ mark, address }: { mark: number; address: string }, { vips, node }: Addresses): boolean =>
  mark === 0 ? vips.has(address) || node.includes(address) : mark >= firstMark && mark <= firstMark + 0xffffff;

async function tablesThere(uses: Readonly<Record<Family, ReadonlyMap<string, number>>>): Promise<boolean> {
  const sets = ['served', 'masquerades', 'none'] as const;
  for (const family of families) {
    const { rules, elements } = await nftCount(family === 'IPv4' ? 2 : 10, tableName, sets);
    if (rules <= 0) return false;
    const expected = (set: string) => [...uses[family].keys()].filter(one => one.startsWith(`${set} `)).length;
    if (sets.some((set, i) => elements[i] !== expected(set))) return false;
  }
  return true;
}

/** Whether each of ours is there with all its destinations; those of others do not matter. */
function sameServers(wanted: ReadonlyMap<string, Server>, found: Awaited<ReturnType<typeof ipvsList>>): boolean {
  const byName = new Map(found.map(state => [nameOf(state), stateOf(state)]));
  return [...wanted].every(([name, { destinations }]) => {
    const there = byName.get(name)?.destinations;
    return there && [...destinations].every(([endpoint, weight]) => there.get(endpoint) === weight);
  });
}
