/** Bundles a TypeScript program of test/programs into one file that plain node runs, so that tests never use a stale build. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'vite';

const root = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');

export interface Program {
  readonly path: string;
  remove(): void;
}

/** @param name such as `store-writer` */
export async function bundleProgram(name: string): Promise<Program> {
  mkdirSync(join(root, '.cache'), { recursive: true });
  // beside node_modules, so that imports of packages resolve
  const folder = mkdtempSync(join(root, '.cache', `program-${name}-`));
  await build({
    root,
    configFile: false,
    logLevel: 'error',
    build: {
      ssr: join(root, 'test/programs', `${name}.ts`),
      outDir: folder,
      emptyOutDir: false,
      minify: false,
      target: 'node20',
      rolldownOptions: { output: { entryFileNames: `${name}.mjs` } },
    },
  });
  return { path: join(folder, `${name}.mjs`), remove: () => rmSync(folder, { recursive: true, force: true }) };
}
