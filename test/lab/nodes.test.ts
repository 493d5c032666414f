/** Two machines on one Ethernet, kernels of their own: VXLAN, Services by ip_vs, names and policies across, a cut link. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../helpers/cluster.js';
import {
  addressOf,
  apply,
  at,
  both,
  killAgent,
  kubectl,
  type Machine,
  nodeReady,
  other,
  quote,
  startAgent,
  startCluster,
  stopCluster,
} from './machines.js';

const flags = ['--proxy-mode', 'ipvs'];
const script = (machine: Machine) => `mkdir -p /w/cgi-bin; cd /w/cgi-bin
printf '#!/bin/sh\\necho; echo lab${machine} "$REMOTE_ADDR" | tr -d []:f' >who
printf '#!/bin/sh\\necho; while :; do echo tick; sleep 1; done' >ticks
chmod +x who ticks; head -c 300000 /dev/zero >/w/big; httpd -p 8080 -h /w; exec sleep ${4_000_000 + machine}`;

const web = (machine: Machine) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `web-${machine}`, labels: { app: 'web', on: `lab${machine}` } },
  spec: {
    nodeSelector: { 'kubernetes.io/hostname': `lab${machine}` },
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'c', image: 'localhost/busybox:1', command: ['sh', '-c', script(machine)] }],
  },
});
const service = (name: string, spec: object) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }], ...spec },
});
const vip = '10.96.7.7';
const nodePort = 30777;
/** Of the Services that lead to one machine's pod only. */
const clusterIPs = { 1: '10.96.7.1', 2: '10.96.7.2' } as const;

const ips = {} as Record<Machine, string>;
const ranges = {} as Record<Machine, string>;
const get = (where: string, path = 'cgi-bin/who') => `curl -sS -m 8 http://${where}/${path}`;
/** The pod's, by whose namespaces its network is entered. */
const processOf = (machine: Machine) => `pgrep -o -x -f 'sleep ${4_000_000 + machine}'`;
const fromPod = (machine: Machine, line: string) =>
  at(machine, `nsenter -t $(${processOf(machine)}) -n bash -c ${quote(line)}`).then(text => text.trim());

/** Asks at each address several times, in one script; the names of the machines that answered there. */
async function answering(ask: (line: string) => Promise<string>, wheres: readonly string[]): Promise<string[]> {
  const four = (where: string) => `${get(where)} ${`http://${where}/cgi-bin/who `.repeat(3)}`;
  const text = await ask(wheres.map(where => `echo = ${where}; ${four(where)} || true`).join('; '));
  const parts = text.split(/^= .*$/m).slice(1);
  return parts.map((part, i) => `${wheres[i]} ${[...new Set(part.match(/^lab\d/gm))].sort().join(' ')}`);
}

describe('two machines', { timeout: 1_100_000 }, () => {
  before(
    async () => {
      await startCluster(flags);
      await nodeReady('lab2', 'True');
      await apply(
        ...both.map(web),
        service('web', { type: 'LoadBalancer', clusterIP: vip, ports: [{ port: 80, targetPort: 8080, nodePort }] }),
        ...both.map(machine =>
          service(`to-${machine}`, { clusterIP: clusterIPs[machine], selector: { on: `lab${machine}` } }),
        ),
        service('here', {
          type: 'NodePort',
          externalTrafficPolicy: 'Local',
          ports: [{ port: 80, targetPort: 8080, nodePort: 30778 }],
        }),
      );
      await kubectl(['wait', 'pod', '-l', 'app=web', '--for=condition=Ready', '--timeout=180s']);
      await learnAddresses();
    },
    { timeout: 400_000 },
  );
  after(stopCluster);

  test('each reaches the other by entries that nobody learnt', async () => {
    for (const machine of both) {
      const [range, gateway] = [ranges[other(machine)], ranges[other(machine)].replace(/\/.*/, '')];
      const mac = ['0a', '58', ...gateway.split('.').map(part => Number(part).toString(16).padStart(2, '0'))].join(':');
      const found = await at(
        machine,
        'ip -d -o link show keelson.vx; ip route; ip neigh show dev keelson.vx; bridge fdb show dev keelson.vx',
      );
      assert.match(found, / mtu 1450 .* vxlan id 1 .*dstport 8472 .*nolearning/);
      assert.ok(found.includes(`${range} via ${gateway} dev keelson.vx`), found);
      assert.ok(found.includes(`${gateway} lladdr ${mac} PERMANENT`), found);
      assert.ok(found.includes(`${mac} dst ${addressOf(other(machine))} self permanent`), found);
    }
  });

  test('pods reach each other and see who asks; the largest packet passes in one piece', async () => {
    const fragments = "grep -E '^Ip: [0-9]' /proc/net/snmp | cut -d' ' -f 15-20";
    const before = await Promise.all(both.map(machine => at(machine, fragments)));
    for (const machine of both) {
      const there = ips[other(machine)];
      // 1450 bytes with its headers; what is larger would need pieces
      const text = await fromPod(
        machine,
        `${get(`${there}:8080`)}; ${get(`${there}:8080`, 'big')} | wc -c; busybox ping -q -c 2 -s 1422 ${there}; ip -o link show eth0`,
      );
      assert.match(text, new RegExp(`^lab${other(machine)} ${ips[machine]}\\n300000\\n`));
      assert.match(text, /2 packets received, 0% packet loss[\s\S]* mtu 1450 /);
      assert.match(await at(machine, get(`${there}:8080`)), new RegExp(`^lab${other(machine)} `));
    }
    assert.deepEqual(await Promise.all(both.map(machine => at(machine, fragments))), before);
  });

  test('Services by ip_vs lead to both, from pods, nodes and the other machine', async () => {
    for (const machine of both) {
      const asks = { pod: (line: string) => fromPod(machine, line), node: (line: string) => at(machine, line) };
      // of the last one this machine's pods and itself see all endpoints, others only those that are here
      const wheres = [vip, ...both.map(addressOf), ...both.map(node => `${addressOf(node)}:${nodePort}`)];
      const local = (node: Machine) => `${addressOf(node)}:30778`;
      const expected = [...wheres, local(machine)].map(where => `${where} lab1 lab2`);
      const elsewhere = `${local(other(machine))} lab${other(machine)}`;
      for (const [who, ask] of Object.entries(asks))
        assert.deepEqual(
          await answering(ask, [...wheres, local(machine), local(other(machine))]),
          [...expected, elsewhere],
          `${who} of lab${machine}`,
        );
      const source = new RegExp(`^lab${other(machine)} ${addressOf(machine)}$`, 'm');
      assert.match(await at(machine, get(local(other(machine)))), source);
    }
    assert.match(await at(2, 'keelson inspect service web'), /virtual server/);
  });

  test('what somebody takes away comes back', async () => {
    await at(2, 'ip link delete kube-ipvs0; nft flush ruleset');
    const onSecond = (line: string) => fromPod(2, line);
    await eventually('both serve', async () => (await answering(onSecond, [vip]))[0] === `${vip} lab1 lab2`);
    const tables = () => at(2, 'nft list tables; ip -o address show kube-ipvs0 || true');
    await eventually('table and link', async () => /keelson_ipvs[\s\S]*10\.96\.7\.7/.test(await tables()));
  });

  test('names are answered on both', async () => {
    for (const machine of both)
      assert.match(
        await kubectl([
          'exec',
          `web-${machine}`,
          '--',
          'wget',
          '-qO-',
          'http://web.default.svc.cluster.local/cgi-bin/who',
        ]),
        /^lab\d /,
      );
  });

  test('a policy holds across the machines', async () => {
    await apply({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'only-first' },
      spec: {
        podSelector: { matchLabels: { on: 'lab2' } },
        ingress: [{ from: [{ podSelector: { matchLabels: { on: 'lab1' } } }] }],
      },
    });
    const refused = (machine: Machine, where: Machine) =>
      fromPod(machine, `${get(`${ips[where]}:8080`)} || echo refused`).then(text => text.includes('refused'));
    assert.equal(await refused(1, 2), false);
    await kubectl(['label', 'pod', 'web-1', 'on=nowhere', '--overwrite']);
    await eventually('its packets are dropped', () => refused(1, 2));
    assert.equal(await refused(2, 1), false);
    await kubectl(['label', 'pod', 'web-1', 'on=lab1', '--overwrite']);
    await eventually('they pass again', async () => !(await refused(1, 2)));
    await kubectl(['delete', 'networkpolicy', 'only-first']);
  });

  test('an agent that is killed: connections live on, and its successor takes over what is there', async () => {
    // each leaves its machine by that one's ip_vs, and ends in the other's pod
    for (const machine of both) {
      const stream = `curl -sN -o /run/ticks http://${clusterIPs[other(machine)]}/cgi-bin/ticks`;
      await at(machine, `nsenter -t $(${processOf(machine)}) -n ${stream} </dev/null >/dev/null 2>&1 &`);
    }
    const grows = async () => {
      for (const machine of both) {
        const size = () =>
          at(machine, 'pgrep -f -x ".*/cgi-bin/ticks" >/dev/null && stat -c %s /run/ticks').then(Number);
        const start = await eventually('a first line', () => size().catch(() => undefined));
        await eventually(`lines still arrive at lab${machine}`, async () => (await size()) > start);
      }
    };
    await grows();
    await killAgent('KILL');
    await grows();
    await startAgent(flags);
    await eventually(
      'it is at work',
      async () => (await at(2, 'grep -c "agent started" /run/agent.log')).trim() === '2',
    );
    await grows();
    for (const machine of both) await at(machine, 'pkill -f -x ".*/cgi-bin/ticks"');
  });

  test('a link that is cut: the node is not ready, its pods get no traffic; with the link all comes back', async () => {
    await at(2, 'ip link set eth0 down');
    await nodeReady('lab2', 'Unknown');
    const onFirst = (line: string) => fromPod(1, line);
    await eventually('only the first serves', async () => (await answering(onFirst, [vip]))[0] === `${vip} lab1`);
    await at(2, 'ip link set eth0 up');
    await nodeReady('lab2', 'True');
    await eventually('both serve', async () => (await answering(onFirst, [vip]))[0] === `${vip} lab1 lab2`);
    assert.deepEqual(await answering(line => fromPod(2, line), [vip]), [`${vip} lab1 lab2`]);
    assert.match(await kubectl(['get', 'events', '-A']), /NodeNotReady/);
  });

  test('a node that leaves takes its entries along, within a second; a reset leaves nothing there', async () => {
    await killAgent('TERM');
    const entries = 'ip route; ip neigh show dev keelson.vx; bridge fdb show dev keelson.vx';
    const theirs = `${ranges[2]}|${addressOf(2)} self`;
    assert.match(await at(1, entries), new RegExp(theirs));
    await kubectl(['delete', 'node', 'lab2']);
    const tookMs = await at(
      1,
      `start=$(date +%s%3N); while { ${entries}; } | grep -Eq '${theirs}'; do :; done; echo $(($(date +%s%3N) - start))`,
    );
    assert.ok(Number(tookMs) < 1000, `${tookMs} ms`);
    await at(2, 'keelson reset --yes');
    await nothingLeft(2);
  });
});

async function learnAddresses(): Promise<void> {
  const list = async (what: string, path: string) =>
    kubectl(['get', what, '-o', `jsonpath={range .items[*]}${path}{"\\n"}{end}`]);
  const pods = await list('pods', '{.spec.nodeName} {.status.podIP}');
  const nodes = await list('nodes', '{.metadata.name} {.spec.podCIDR}');
  for (const machine of both) {
    const line = new RegExp(`^lab${machine} (.*)$`, 'm');
    ips[machine] = line.exec(pods)?.[1] ?? '';
    ranges[machine] = line.exec(nodes)?.[1] ?? '';
  }
}

/** Of the network; processes and cgroups are other tests' business. */
async function nothingLeft(machine: Machine): Promise<void> {
  const left = await at(
    machine,
    'nft list tables; ip -o link; tail -n +4 /proc/net/ip_vs; ip route; ip -o addr show lo',
  );
  assert.doesNotMatch(left, /keelson|kube-|cni0|10\.(244|96)\./);
}
