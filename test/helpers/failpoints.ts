/** Every failpoint that the sources have, so that a new one is tested without being listed anywhere. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folders = ['agent', 'cni', 'src', 'native/shim'];
/** `await failpoint('sandbox.afterRecord')`, and the shim's comparison with `"shim.beforeExitRecord=crash"`. */
const call = /\bfailpoint\('([\w.]+)'\)|"(shim\.\w+)=crash"/g;

/** @param root of the checkout */
export function failpointNames(root: string): string[] {
  const files = folders.flatMap(folder =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter(name => /\.(ts|c)$/.test(name))
      .map(name => join(root, folder, name)),
  );
  const found = files.flatMap(file => [...readFileSync(file, 'utf8').matchAll(call)].map(m => m[1] ?? m[2] ?? ''));
  return [...new Set(found)].sort();
}
