/**
 * A node on a machine's own network, as on a VM of a lab: `keelson up` with nothing but its defaults. Only here, because
 * elsewhere the machine's network is not ours to change.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Pod } from '../../src/kube/pod.js';
import { cgroupMount, eventually, repository } from '../helpers/cluster.js';

const keelson = join(repository, 'bin/keelson');
const kubeconfig = '/etc/keelson/admin.kubeconfig';
const kubectl = (...args: string[]) =>
  execFileSync(join(repository, '.cache/kubectl-v35/kubectl'), args, {
    encoding: 'utf8',
    env: { ...process.env, KUBECONFIG: kubeconfig, HOME: '/var/tmp/lab' },
  });

let up: ChildProcess | undefined;
after(() => up?.kill('SIGKILL'));

test('up with its defaults, a pod that answers this machine, and nothing left after --rm', {
  timeout: 240_000,
}, async () => {
  assert.ok(process.env['KEELSON_LAB'], 'this test changes the network of the machine: it belongs into the lab');
  up = spawn(keelson, ['up', '--rm'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const child = up;
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout?.setEncoding('utf8').on('data', resolve);
    child.once('exit', code => reject(new Error(`keelson up ended with ${code}`)));
  });
  assert.equal(line.trim(), `ready https://127.0.0.1:6443 kubeconfig=${kubeconfig}`);
  execFileSync(keelson, ['image', 'import', join(repository, '.cache/images/http-echo')]);
  execFileSync(keelson, ['image', 'import', join(repository, '.cache/images/busybox')]);
  kubectl('apply', '-f', join(repository, 'examples/hello.yaml'));
  kubectl('wait', '--for=condition=Ready', 'pod/hello', '--timeout=120s');
  const pod = JSON.parse(kubectl('get', 'pod', 'hello', '-o', 'json')) as Pod;
  const answer = execFileSync('busybox', ['wget', '-q', '-O', '-', `http://${pod.status?.podIP}:8080/`], {
    encoding: 'utf8',
  });
  assert.match(answer, /^host hello$/m);
  assert.match(execFileSync('nft', ['list', 'table', 'ip', 'keelson'], { encoding: 'utf8' }), /masquerade/);
  assert.ok(existsSync('/sys/class/net/cni0'));

  const ended = new Promise(resolve => child.once('exit', resolve));
  child.kill('SIGTERM');
  assert.equal(await ended, 0);
  assert.equal(existsSync('/sys/class/net/cni0'), false);
  assert.equal(existsSync(join(cgroupMount(), 'keelson')), false);
  assert.doesNotMatch(execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' }), /keelson/);
  // the kernel takes the links of dead namespaces away in its own time
  await eventually(
    'no link of a pod is left',
    async () => !/veth/.test(execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' })),
  );
  assert.match(execFileSync(keelson, ['reset', '--yes'], { encoding: 'utf8' }), /nothing of Keelson is left/);
});
