/** Which remembered connections must be forgotten after a change. UDP knows no end: it would go on to an endpoint that is gone. Pure. */
import type { ForgetConnections } from '../../native/index.js';
import type { Family, ProxyEndpoint, ServiceEntry, TableDifference } from './contract.js';

/** What is remembered of an address, except what leads to one of its endpoints now. */
const forget = ({ address, port }: ServiceEntry, keep: readonly ProxyEndpoint[]): ForgetConnections => ({
  ...(address !== undefined && { address }),
  port,
  keep: keep.map(one => `${one.address} ${one.port}`),
});

const all = ({ endpoints, inside = [] }: ServiceEntry): readonly ProxyEndpoint[] => [...endpoints, ...inside];

export function staleUdp({ added, changed, removed }: TableDifference, family: Family): ForgetConnections[] {
  const isWanted = (entry: ServiceEntry) => entry.protocol === 'udp' && entry.family === family;
  return [
    // sent before there was such an address, so it went elsewhere
    ...added.filter(isWanted).map(entry => forget(entry, all(entry))),
    ...changed
      .filter(({ before, after }) => isWanted(after) && loses(before, after))
      .map(({ after }) => forget(after, all(after))),
    ...removed.filter(isWanted).map(entry => forget(entry, [])),
  ];
}

/** An endpoint, or its having none. */
function loses(before: ServiceEntry, after: ServiceEntry): boolean {
  const now = new Set(all(after).map(({ address, port }) => `${address} ${port}`));
  const then = all(before);
  return then.length === 0 || then.some(({ address, port }) => !now.has(`${address} ${port}`));
}

export const ofFamily = ({ added, changed, removed }: TableDifference, family: Family): TableDifference => ({
  added: added.filter(entry => entry.family === family),
  changed: changed.filter(({ after }) => after.family === family),
  removed: removed.filter(entry => entry.family === family),
});

export const isEmpty = ({ added, changed, removed }: TableDifference): boolean =>
  added.length + changed.length + removed.length === 0;
