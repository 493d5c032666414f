// Who may import whom (docs/architecture.md): one table; a violation prints the offending line and the rule.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** First matching prefix decides. `may` lists path prefixes; a file may always import its own folder's prefix. */
const rules = [
  { in: 'src/base/', may: [] },
  { in: 'src/kube/', may: ['src/base/'] },
  { in: 'native/', may: [] },
  { in: 'src/store/', may: ['src/base/', 'src/kube/'] },
  { in: 'src/api/', may: ['src/base/', 'src/kube/', 'src/store/', 'src/link/frames'] },
  { in: 'src/controllers/runner', may: ['src/base/', 'src/kube/', 'src/api/', 'src/controllers/'] },
  { in: 'src/controllers/', may: ['src/base/', 'src/kube/', 'src/controllers/'] },
  { in: 'src/scheduler/', may: ['src/base/', 'src/kube/'] },
  { in: 'src/link/', may: ['src/base/', 'src/kube/'] },
  { in: 'src/hollow/', may: ['src/base/', 'src/kube/', 'src/link/'] },
  { in: 'src/ingress/', may: ['src/base/', 'src/kube/'] },
  { in: 'src/dashboard/', may: ['src/base/', 'src/kube/', 'src/link/frames'] },
  { in: 'cni/', may: ['src/base/', 'native/'] },
  { in: 'agent/', may: ['src/base/', 'src/kube/', 'src/link/', 'native/', 'cni/'] },
  { in: 'src/cli/', may: ['src/', 'agent/', 'native/', 'cni/'] },
  { in: 'test/', may: ['src/', 'agent/', 'native/', 'cni/', 'test/', 'bench/'] },
  { in: 'bench/', may: ['src/', 'agent/', 'native/', 'cni/', 'bench/', 'test/helpers/'] },
];

/** Returns undefined, or the text of every violation. */
export function checkImports(root) {
  const problems = [];
  for (const file of sources(root)) {
    const rule = rules.find(r => file.startsWith(r.in));
    if (!rule) {
      problems.push(`${file}: in no folder of the import table`);
      continue;
    }
    const own = file
      .split('/')
      .slice(0, file.startsWith('src/') ? 2 : 1)
      .join('/');
    const lines = readFileSync(join(root, file), 'utf8').split('\n');
    for (const [i, line] of lines.entries()) {
      const target = /(?:from|import\()\s*'(\.[^']+)'/.exec(line)?.[1];
      if (!target) continue;
      const path = relative(root, join(root, dirname(file), target));
      const ok = path.startsWith(`${own}/`) || rule.may.some(prefix => path.startsWith(prefix));
      if (!ok)
        problems.push(
          `${file}:${i + 1}: ${line.trim()}\n    ${rule.in} may import only: ${[`${own}/`, ...rule.may].join(', ')}`,
        );
    }
  }
  return problems.length ? problems.join('\n') : undefined;
}

function* sources(root) {
  for (const top of ['src', 'native', 'agent', 'cni', 'test', 'bench']) {
    for (const entry of readdirSync(join(root, top), { recursive: true, withFileTypes: true })) {
      if (entry.isFile() && /\.tsx?$/.test(entry.name))
        yield relative(root, join(entry.parentPath ?? entry.path, entry.name));
    }
  }
}
