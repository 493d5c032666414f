// Asks the cluster's DNS by the resolver of Node (c-ares): `dns-ask.mjs SERVER (A|AAAA|SRV|PTR|CNAME|TXT) NAME…` → one JSON line each.
import { Resolver } from 'node:dns/promises';

const [server, type, ...names] = process.argv.slice(2);
const resolver = new Resolver({ timeout: 1000, tries: 2 });
resolver.setServers([server]);
for (const name of names) {
  const answer = await (type === 'PTR' ? resolver.reverse(name) : resolver.resolve(name, type)).catch(
    error => error.code,
  );
  console.log(JSON.stringify(answer));
}
