/** Clients that the kernel remembers, and whose endpoint is gone: they get another one. */
import type { ServiceEntry, ServiceTable } from '../contract.js';
import { tableName } from './layout.js';
import { nft, nftJson } from './run.js';

interface MapElement {
  readonly elem?: { readonly val: Concat };
}
interface Concat {
  readonly concat: readonly (string | number)[];
}

/** Goes through all that is remembered: only after a change of a Service with affinity. */
export async function forgetClients(table: ServiceTable): Promise<void> {
  const sticky = [...table.values()].filter(({ affinitySeconds }) => affinitySeconds !== undefined);
  for (const [word, family] of [
    ['ip', 'IPv4'],
    ['ip6', 'IPv6'],
  ] as const) {
    const known = await remembered(word);
    if (known.length === 0) continue;
    const allowed = allowedPairs(sticky.filter(entry => entry.family === family));
    const stale = known.filter(({ key, value }) => !isAllowed(allowed, key, value));
    if (stale.length === 0) continue;
    const elements = stale.map(({ key }) => key.join(' . ')).join(', ');
    // one may have timed out meanwhile: then the others go the next time
    await nft(`delete element ${word} ${tableName} affinity { ${elements} }\n`).catch(() => undefined);
  }
}

interface Remembered {
  /** Client, service address, protocol, port. */
  readonly key: readonly string[];
  /** `10.244.0.5 8080` */
  readonly value: string;
}

async function remembered(word: string): Promise<Remembered[]> {
  const listed = await nftJson('list', 'map', word, tableName, 'affinity').catch(() => ({ nftables: [] }));
  const map = listed.nftables.find(entry => 'map' in entry)?.map as { elem?: [MapElement, Concat][] } | undefined;
  return (map?.elem ?? []).flatMap(([{ elem }, value]) =>
    elem ? [{ key: elem.val.concat.map(String), value: value.concat.join(' ') }] : [],
  );
}

/** `tcp 80` of an address or of `node` → the endpoints that it leads to. */
function allowedPairs(entries: readonly ServiceEntry[]): Map<string, Set<string>> {
  return new Map(
    entries.map(({ address = 'node', protocol, port, endpoints, inside = [] }) => [
      `${address} ${protocol} ${port}`,
      new Set([...endpoints, ...inside].map(one => `${one.address} ${one.port}`)),
    ]),
  );
}

function isAllowed(allowed: Map<string, Set<string>>, [, address, protocol, port]: readonly string[], value: string) {
  const found = allowed.get(`${address} ${protocol} ${port}`) ?? allowed.get(`node ${protocol} ${port}`);
  return found?.has(value) === true;
}
