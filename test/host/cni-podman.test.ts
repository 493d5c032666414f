/** Our plugins under a foreign runtime: Debian's podman (scripts/fetch-cni.mjs) puts containers on them. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, repository } from '../helpers/cluster.js';
import { inPrivateNetwork } from '../helpers/netns.js';

const debian = join(repository, '.cache/cni');
const usable = existsSync(join(debian, 'usr/bin/podman')) && existsSync(join(repository, 'dist/cni/plugin-main.js'));

const run = (program: string, ...words: string[]) => execFileSync(program, words, { encoding: 'utf8' });

describe.skipIf(!usable)('podman', () => {
  inPrivateNetwork(import.meta.url, () => {
    const folder = mkdtempSync(join(tmpdir(), 'kt-podman-'));
    const at = (...path: string[]) => join(folder, ...path);

    const podman = (...words: string[]): string => {
      const env = {
        ...process.env,
        PATH: `${join(debian, 'usr/bin')}:${process.env['PATH']}`,
        LD_LIBRARY_PATH: libraries,
        CONTAINERS_CONF: at('containers.conf'),
      };
      const places = ['--root', at('root'), '--runroot', at('run'), '--tmpdir', at('tmp'), '--storage-driver', 'vfs'];
      const { status, stdout, stderr } = spawnSync('podman', [...places, ...words], { env, encoding: 'utf8' });
      if (status !== 0) throw new Error(`podman ${words.join(' ')}: ${stderr}`);
      return stdout.trim();
    };
    const serve = (name: string, ...more: string[]) => {
      const script = `mkdir /w; echo ${name} > /w/index.html; exec httpd -f -p 8080 -h /w`;
      podman(
        'run',
        '-d',
        '--ulimit',
        'nofile=1024:1024',
        '--ulimit',
        'nproc=1024:1024',
        '--name',
        name,
        '--network',
        'knet',
        ...more,
        'localhost/bb:1',
        'sh',
        '-c',
        script,
      );
    };
    const addressOf = (name: string) => /inet (10\.88\.0\.\d+)\/24/.exec(podman('exec', name, 'ip', 'addr'))?.[1] ?? '';
    const addressOf6 = (name: string) =>
      /inet6 (fd00:10:88::[^/]+)\/64/.exec(podman('exec', name, 'ip', 'addr'))?.[1] ?? '';
    const fetch = (...words: string[]) =>
      spawnSync('curl', ['-sS', '-m', '2', ...words], { encoding: 'utf8' }).stdout.trim();
    const leases = () => readdirSync(at('leases/knet')).filter(name => name.startsWith('10.'));
    const ports = () => run('nft', 'list', 'map', 'ip', 'keelson_hostports', 'any');

    beforeAll(() => {
      for (const place of ['/var/lib', '/run', '/dev/shm', folder]) run('mount', '-t', 'tmpfs', 'tmpfs', place);
      // crun refuses hybrid cgroups even where it is to leave them alone; only this namespace sees it
      const unified = '/sys/fs/cgroup/unified';
      if (existsSync(unified)) run('mount', '--rbind', unified, '/sys/fs/cgroup');
      for (const place of ['net.d', 'fs/bin', 'fs/etc', 'fs/tmp']) mkdirSync(at(place), { recursive: true });
      configure(folder);
      copyFileSync('/usr/bin/busybox', at('fs/bin/busybox'));
      chmodSync(at('fs/bin/busybox'), 0o755);
      run('chroot', at('fs'), '/bin/busybox', '--install', '-s', '/bin');
      run('tar', '-C', at('fs'), '-cf', at('fs.tar'), '.');
      podman('import', '--signature-policy', at('policy.json'), at('fs.tar'), 'localhost/bb:1');
      // outside: a machine on the other end of a wire
      run(
        'sh',
        '-c',
        'mkdir -p /run/netns && ip netns add outside && ip link add uplink type veth peer out netns outside',
      );
      run('sh', '-c', 'ip addr add 192.0.2.1/24 dev uplink && ip link set uplink up');
      run('sh', '-c', 'ip -n outside addr add 192.0.2.2/24 dev out && ip -n outside link set out up');
    }, 60_000);

    afterAll(() => {
      podman('rm', '-f', '-a', '-t', '0');
      spawnSync('umount', ['-R', '-l', folder]);
      rmSync(folder, { recursive: true, force: true });
    });

    test('a container has an address, the way out, and its neighbours', async () => {
      serve('one', '-p', '18080:8080');
      serve('two');
      const [one, two] = [addressOf('one'), addressOf('two')];
      expect(new Set([one, two, ''])).toHaveProperty('size', 3);
      expect(podman('exec', 'one', 'ip', 'route')).toContain('default via 10.88.0.1 dev eth0');
      podman('exec', 'two', 'ping', '-c', '1', '-W', '2', one);
      await eventually('it listens', async () => fetch(`http://${one}:8080/`) === 'one');
      expect(podman('exec', 'two', 'wget', '-qO-', `http://${one}:8080/`)).toBe('one');
      expect(podman('exec', 'two', 'wget', '-qO-', `http://[${addressOf6('one')}]:8080/`)).toBe('one');
    });

    test('a port of the host leads to it: from outside, from the host, from its loopback', () => {
      const outside = run('ip', 'netns', 'exec', 'outside', 'curl', '-sS', '-m', '2', 'http://192.0.2.1:18080/');
      expect(outside.trim()).toBe('one');
      expect(fetch('http://192.0.2.1:18080/')).toBe('one');
      expect(fetch('http://[fd00:10:88::1]:18080/')).toBe('one');
      expect(fetch('http://127.0.0.1:18080/')).toBe('one');
    });

    test('a container that starts again is reached again, and one that goes leaves nothing', async () => {
      podman('restart', '-t', '0', 'one');
      const one = addressOf('one');
      await eventually('it listens', async () => fetch('http://127.0.0.1:18080/') === 'one');
      expect(leases()).toHaveLength(2);
      podman('rm', '-f', '-t', '0', 'one');
      expect(leases()).toEqual([addressOf('two')]);
      expect(leases()).not.toContain(one);
      expect(ports()).not.toContain('18080');
      podman('rm', '-f', '-t', '0', 'two');
      expect(leases()).toEqual([]);
      expect(readdirSync(at('leases/knet')).filter(name => name.includes(':'))).toEqual([]);
      expect(run('ip', '-o', 'link', 'show', 'master', 'kb0')).toBe('');
    });
  });
});

const libraries = ['usr/lib', 'lib'].map(place => join(debian, place, 'x86_64-linux-gnu')).join(':');

/** No cgroups: podman would make them beside those of this machine. */
function configure(folder: string): void {
  const crun = join(folder, 'crun');
  // podman gives its runtime an environment without LD_LIBRARY_PATH
  writeFileSync(crun, `#!/bin/sh\nLD_LIBRARY_PATH=${libraries} exec ${join(debian, 'usr/bin/crun')} "$@"\n`);
  chmodSync(crun, 0o755);
  const ranges = ['10.88.0.0/24', 'fd00:10:88::/64'].map(subnet => [{ subnet }]);
  const ipam = { ranges, dataDir: join(folder, 'leases') };
  const plugins = [
    { type: 'keelson-bridge', bridge: 'kb0', ipam },
    { type: 'keelson-portmap', capabilities: { portMappings: true } },
  ];
  writeFileSync(
    join(folder, 'net.d/10-keelson.conflist'),
    JSON.stringify({ cniVersion: '1.0.0', name: 'knet', plugins }),
  );
  writeFileSync(join(folder, 'policy.json'), '{"default":[{"type":"insecureAcceptAnything"}]}');
  writeFileSync(
    join(folder, 'containers.conf'),
    `[containers]
cgroups = "disabled"
[network]
network_backend = "cni"
cni_plugin_dirs = ["${join(repository, 'libexec/cni')}"]
network_config_dir = "${join(folder, 'net.d')}"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
conmon_path = ["${join(debian, 'usr/bin/conmon')}"]
[engine.runtimes]
crun = ["${crun}"]
`,
  );
}
