/** Texts for iptables-restore: the whole of our rules, or what differs. One text is one transaction per table. Pure. */
import type { BackendOptions, Family } from '../contract.js';
import { fixedChains, hooks, isHook, isOurChain, lastRules, sharedChains, type Table, tables } from './layout.js';
import { isServiceChain } from './names.js';
import type { GroupRules } from './rules.js';

interface TableText {
  readonly declared: string[];
  readonly rules: string[];
  readonly deleted: string[];
}

const emptyText = (): TableText => ({ declared: [], rules: [], deleted: [] });

function render(texts: ReadonlyMap<Table, TableText>): string {
  return tables
    .flatMap(table => {
      const text = texts.get(table);
      if (!text || text.declared.length + text.rules.length === 0) return [];
      // in the order that iptables-nft (1.8.9) keeps them in: else it takes six times as long for 40,000 chains
      const declarations = text.declared.toSorted().map(chain => `:${chain} - [0:0]`);
      return [`*${table}`, ...declarations, ...text.rules, ...text.deleted.map(chain => `-X ${chain}`), 'COMMIT'];
    })
    .map(line => `${line}\n`)
    .join('');
}

/** What iptables-save says is there of ours. */
export interface Found {
  /** `nat KUBE-SVC-…` */
  readonly chains: ReadonlySet<string>;
  /** Rules of our chains, and jumps to them. */
  readonly rules: number;
  /** The jumps to our chains, as `nat` → `-A PREROUTING …`. */
  readonly jumps: readonly { readonly table: Table; readonly line: string }[];
  /** Chains of ours that rules of somebody else lead to: they cannot go. `nat KUBE-MARK-MASQ` */
  readonly used: ReadonlySet<string>;
}

export function readSaved(text: string): Found {
  const chains = new Set<string>();
  const used = new Set<string>();
  const jumps: { table: Table; line: string }[] = [];
  let rules = 0;
  let table: Table = 'filter';
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1) as Table;
    const chain = /^(?::|-A )(\S+)/.exec(line)?.[1];
    if (chain === undefined) continue;
    const target = / -[jg] (\S+)/.exec(line)?.[1] ?? '';
    if (isOurChain(chain)) {
      if (line.startsWith(':')) chains.add(`${table} ${chain}`);
      else rules++;
    } else if (isHook(table, chain, target)) {
      rules++;
      jumps.push({ table, line });
    } else if (isOurChain(target)) used.add(`${table} ${target}`);
  }
  return { chains, rules, jumps, used };
}

export interface Whole {
  readonly text: string;
  /** How many rules there are afterwards, jumps included. */
  readonly rules: number;
}

/** Everything anew, and nothing of ours that does not belong: packets meet the old rules or the new ones. */
export function wholeText(
  family: Family,
  groups: Iterable<GroupRules>,
  found: Found,
  options: BackendOptions,
  translatesBridged: boolean,
): Whole {
  const chains = new Map<string, readonly string[]>(fixedChains(options, translatesBridged));
  const shared = new Map<string, string[]>(sharedChains.map(chain => [chain, []]));
  for (const group of groups) {
    for (const [chain, rules] of group.chains) chains.set(`nat ${chain}`, rules);
    for (const { chain, rule } of group.shared) shared.get(chain)?.push(rule);
  }
  const last = lastRules(family);
  for (const [chain, rules] of shared) chains.set(chain, [...rules, ...(last.get(chain) ?? [])]);
  const texts = new Map(tables.map(table => [table, emptyText()]));
  let count = 0;
  for (const [key, rules] of chains) {
    const [table, chain] = split(key);
    texts.get(table)?.declared.push(chain);
    for (const rule of rules) texts.get(table)?.rules.push(`-A ${chain} ${rule}`);
    count += rules.length;
  }
  removeStale(texts, chains, found);
  // jumps are put first again if any is missing: their order matters
  for (const { table, line } of found.jumps) texts.get(table)?.rules.push(line.replace(/^-A/, '-D'));
  for (const { table, chain, rule } of hooks) texts.get(table)?.rules.push(`-I ${chain} 1 ${rule}`);
  return { text: render(texts), rules: count + hooks.length };
}

const split = (key: string): [Table, string] => key.split(' ') as [Table, string];

function removeStale(texts: ReadonlyMap<Table, TableText>, wanted: ReadonlyMap<string, unknown>, found: Found): void {
  for (const key of found.chains) {
    const [table, chain] = split(key);
    if (wanted.has(key) || !isServiceChain(chain)) continue;
    texts.get(table)?.declared.push(chain);
    if (!found.used.has(key)) texts.get(table)?.deleted.push(chain);
  }
}

/** Rules of ports that change, and how many more there are afterwards. */
export function partText(
  changes: Iterable<{ readonly before: GroupRules | undefined; readonly after: GroupRules | undefined }>,
): Whole {
  const texts = new Map(tables.map(table => [table, emptyText()]));
  const nat = texts.get('nat') as TableText;
  let count = 0;
  for (const { before, after } of changes) {
    count += changeShared(texts, before, after);
    for (const [chain, rules] of after?.chains ?? []) {
      const old = before?.chains.get(chain);
      if (old && sameRules(old, rules)) continue;
      nat.declared.push(chain);
      nat.rules.push(...rules.map(rule => `-A ${chain} ${rule}`));
      count += rules.length - (old?.length ?? 0);
    }
    for (const [chain, rules] of before?.chains ?? []) {
      if (after?.chains.has(chain)) continue;
      nat.declared.push(chain);
      nat.deleted.push(chain);
      count -= rules.length;
    }
  }
  return { text: render(texts), rules: count };
}

const sameRules = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((rule, i) => rule === b[i]);

/** New rules go first: the last one of a chain must stay the last. @returns how many more there are */
function changeShared(
  texts: ReadonlyMap<Table, TableText>,
  before: GroupRules | undefined,
  after: GroupRules | undefined,
): number {
  const identity = ({ chain, rule }: { chain: string; rule: string }) => `${chain} ${rule}`;
  const old = new Set(before?.shared.map(identity));
  const now = new Set(after?.shared.map(identity));
  const gone = (before?.shared ?? []).filter(one => !now.has(identity(one)));
  const come = (after?.shared ?? []).filter(one => !old.has(identity(one)));
  const put = (word: '-D' | '-I', key: string, rule: string) => {
    const [table, chain] = split(key);
    texts.get(table)?.rules.push(`${word} ${chain} ${rule}`);
  };
  for (const { chain, rule } of gone) put('-D', chain, rule);
  for (const { chain, rule } of come) put('-I', chain, rule);
  return come.length - gone.length;
}

/** Takes all of ours away, but what others use, which is left empty; empty if nothing is there. */
export function removalText(found: Found): string {
  const texts = new Map(tables.map(table => [table, emptyText()]));
  for (const { table, line } of found.jumps) texts.get(table)?.rules.push(line.replace(/^-A/, '-D'));
  for (const key of found.chains) {
    const [table, chain] = split(key);
    texts.get(table)?.declared.push(chain);
    if (!found.used.has(key)) texts.get(table)?.deleted.push(chain);
  }
  return render(texts);
}
