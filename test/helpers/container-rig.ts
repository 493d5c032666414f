/**
 * A pod's surroundings for tests of containers: a temporary state directory, a busybox layer, cgroups of its own and a
 * sandbox. `await using` gives everything back, whatever the test left running.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContainerHandle, ContainerSpec, StartRequest } from '../../agent/containers/contract.js';
import { createContainerRuntime } from '../../agent/containers/runtime.js';
import { createSandbox, type Process } from '../../native/index.js';

const unified = '/sys/fs/cgroup/unified';
/** Where cgroup2 is: of its own, or beside v1 on a hybrid host. */
const cgroupRoot = () => (readdirSync('/sys/fs/cgroup').includes('unified') ? unified : '/sys/fs/cgroup');

export class ContainerRig implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'keelson-rig-'));
  readonly runDirectory = join(this.directory, 'run');
  readonly cgroup = join(cgroupRoot(), `keelson-test-${process.pid}-${Math.random().toString(36).slice(2, 8)}`);
  readonly shimCgroup = join(this.cgroup, 'shims');
  readonly runtime = createContainerRuntime();
  readonly layer = join(this.directory, 'layer');
  #sandbox!: Process;
  #attempts = 0;

  private constructor() {}

  static async create(options: { readonly sharePid?: boolean; readonly idBase?: number } = {}): Promise<ContainerRig> {
    const rig = new ContainerRig();
    mkdirSync(rig.runDirectory, { mode: 0o700 });
    for (const name of ['', 'shims', 'pause']) mkdirSync(join(rig.cgroup, name));
    makeBusyboxLayer(rig.layer);
    rig.#sandbox = await createSandbox({
      object: 'pod test/rig',
      cgroup: join(rig.cgroup, 'pause'),
      namespaces: { net: true, ipc: true, uts: true, pid: options.sharePid ?? false },
      hostname: 'rig',
      ...(options.idBase !== undefined && { idBase: options.idBase }),
    });
    return rig;
  }

  spec(changes: Partial<ContainerSpec> = {}): ContainerSpec {
    return { ...plainSpec(this.layer), ...changes };
  }

  request(spec: ContainerSpec): StartRequest {
    const name = String(this.#attempts++);
    const cgroup = join(this.cgroup, `c${name}`);
    mkdirSync(cgroup);
    const { pid, startTime } = this.#sandbox;
    return {
      spec,
      cgroup,
      directory: join(this.directory, 'attempts', name),
      shimCgroup: this.shimCgroup,
      sandbox: { pid, startTime },
      logPath: join(this.directory, `${name}.log`),
      runDirectory: this.runDirectory,
    };
  }

  async start(changes: Partial<ContainerSpec> = {}): Promise<ContainerHandle & { readonly request: StartRequest }> {
    const request = this.request(this.spec(changes));
    return Object.assign(await this.runtime.start(request), { request });
  }

  /** A shell script in a fresh container. */
  shell(script: string, changes: Partial<ContainerSpec> = {}): ReturnType<ContainerRig['start']> {
    return this.start({ argv: ['/bin/sh', '-c', script], ...changes });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#sandbox.signal(9);
    await this.#sandbox.wait();
    this.#sandbox.close();
    await emptyCgroup(this.cgroup);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export function plainSpec(layer: string): ContainerSpec {
  return {
    object: 'container app of pod test/rig',
    argv: ['/bin/true'],
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    cwd: '/',
    user: '',
    runAsNonRoot: false,
    supplementalGroups: [],
    strictGroups: false,
    layers: [layer],
    readOnlyRootfs: false,
    mounts: [],
    capabilities:
      `CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT
      KILL AUDIT_WRITE`.split(/\s+/),
    privileged: false,
    noNewPrivileges: false,
    seccomp: 'default',
    maskProc: true,
    tty: false,
    stdin: false,
    stdinOnce: false,
    oomScoreAdj: 500,
    sharePid: false,
    hostNetwork: false,
    hostIPC: false,
    hostPID: false,
  };
}

/** busybox-static with its applets, passwd and group. */
export function makeBusyboxLayer(layer: string): void {
  for (const name of ['bin', 'etc', 'tmp', 'root']) mkdirSync(join(layer, name), { recursive: true });
  execFileSync('cp', ['/bin/busybox', join(layer, 'bin/busybox')]);
  const applets = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n');
  for (const applet of applets) if (applet !== 'busybox') symlinkSync('busybox', join(layer, 'bin', applet));
  writeFileSync(join(layer, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:app:/home/app:/bin/sh\n');
  writeFileSync(join(layer, 'etc/group'), 'root:x:0:\nappgroup:x:1001:\nextra:x:1002:app,other\n');
}

/** Kills what is left in a tree of cgroups and removes it. */
async function emptyCgroup(path: string): Promise<void> {
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) await emptyCgroup(join(path, entry.name));
  writeFileSync(join(path, 'cgroup.kill'), '1');
  for (let tries = 0; ; tries++) {
    try {
      return rmdirSync(path);
    } catch (error) {
      // the kernel takes killed processes away a moment later; there is no event on a directory about to go
      if (tries > 200) throw error;
      await new Promise(resolve => setTimeout(resolve, 5));
    }
  }
}
