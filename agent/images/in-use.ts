/**
 * Which layers containers stand on. Read from the attempts on disk, so that `keelson image rm` knows it without asking
 * the agent: an attempt without an exit record may be running.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const list = (path: string) => readdir(path).catch(() => [] as string[]);

async function layersOf(attempt: string): Promise<readonly string[]> {
  if (existsSync(join(attempt, 'exit.json'))) return [];
  const text = await readFile(join(attempt, 'attempt.json'), 'utf8').catch(() => '{}');
  try {
    return (JSON.parse(text) as { spec?: { layers?: string[] } }).spec?.layers ?? [];
  } catch {
    return [];
  }
}

/** @returns layer directories that attempts in `<data-dir>/pods/<uid>/containers/<name>/<attempt>` use */
export async function layersInUse(dataDir: string): Promise<Set<string>> {
  const used = new Set<string>();
  const pods = join(dataDir, 'pods');
  for (const pod of await list(pods)) {
    const containers = join(pods, pod, 'containers');
    for (const name of await list(containers)) {
      for (const attempt of await list(join(containers, name))) {
        for (const layer of await layersOf(join(containers, name, attempt))) used.add(layer);
      }
    }
  }
  return used;
}
