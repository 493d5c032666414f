// Debian's podman and containernetworking-plugins for the CNI tests, unpacked and not installed (podman's package brings
// services): prints the folder that they are in. `usr/lib/cni` has the plugins, `usr/bin` the runtime.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const programs = ['podman', 'conmon', 'crun', 'containernetworking-plugins', 'golang-github-containers-common'];
const libraries = ['libgpgme11', 'libassuan0', 'libsubid4', 'libyajl2', 'libdevmapper1.02.1'];

const folder = join(dirname(fileURLToPath(import.meta.url)), '..', '.cache', 'cni');
if (!existsSync(join(folder, 'usr/bin/podman'))) {
  const work = mkdtempSync(join(tmpdir(), 'keelson-cni-'));
  try {
    run('apt-get', ['download', '-qq', '-o', 'APT::Sandbox::User=root', ...programs, ...libraries], { cwd: work });
    for (const file of readdirSync(work)) run('dpkg', ['-x', join(work, file), join(work, 'root')]);
    mkdirSync(dirname(folder), { recursive: true });
    rmSync(folder, { recursive: true, force: true });
    // complete or not at all
    run('cp', ['-a', join(work, 'root'), `${folder}.part`]);
    renameSync(`${folder}.part`, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
console.log(folder);

function run(command, args, options = {}) {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error ?? stderr}`);
}
