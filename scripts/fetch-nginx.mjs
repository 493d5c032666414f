// Debian's nginx for the Ingress tests, unpacked and not installed (a package would start it): prints the program's path.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = join(dirname(fileURLToPath(import.meta.url)), '..', '.cache', 'nginx');
const program = join(folder, 'usr/sbin/nginx');
if (!existsSync(program)) {
  const work = mkdtempSync(join(tmpdir(), 'keelson-nginx-'));
  try {
    run('apt-get', ['download', '-qq', '-o', 'APT::Sandbox::User=root', 'nginx'], { cwd: work });
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
console.log(program);

function run(command, args, options = {}) {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error ?? stderr}`);
}
