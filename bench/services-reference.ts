/** The shape that kube-proxy's nftables mode gives its table, to compare with: a chain for each Service and endpoint. Pure. */

/** Text for `nft -f`, as the table `ip compared`. */
export function kubeProxyTable(services: number, endpoints: number): string {
  const lines = ['table ip compared {', 'map service-ips { type ipv4_addr . inet_proto . inet_service : verdict; }'];
  const chains: string[] = [];
  const elements: string[] = [];
  for (let i = 0; i < services; i++) {
    const address = `10.${96 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;
    const slots = Array.from({ length: endpoints }, (_, slot) => {
      const number = i * endpoints + slot;
      const to = `10.244.${2 + ((number >> 8) % 250)}.${number & 255}`;
      chains.push(
        `chain endpoint-${i}-${slot} { ip saddr ${to} jump mark-for-masquerade; meta l4proto tcp dnat to ${to}:8080; }`,
      );
      return `${slot} : goto endpoint-${i}-${slot}`;
    });
    chains.push(
      `chain service-${i} { ip daddr ${address} tcp dport 80 ip saddr != 10.244.0.0/16 jump mark-for-masquerade; numgen random mod ${endpoints} vmap { ${slots.join(', ')} }; }`,
    );
    elements.push(`${address} . tcp . 80 : goto service-${i}`);
  }
  lines.push('chain mark-for-masquerade { meta mark set meta mark or 0x4000; }', ...chains);
  lines.push(
    'chain services { type nat hook prerouting priority dstnat; ip daddr . meta l4proto . th dport vmap @service-ips; }',
    '}',
    `add element ip compared service-ips { ${elements.join(', ')} }`,
    '',
  );
  return lines.join('\n');
}
