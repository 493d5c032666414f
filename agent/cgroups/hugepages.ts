/** Huge pages: what the machine has set aside, and the limits of a container (hugetlb.<size>.max). */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CgroupFiles } from '../../native/index.js';
import { numberValue } from '../../src/kube/quantity.js';

const prefix = 'hugepages-';

/** `hugepages-2Mi` → bytes, from sysfs; sizes of which there is none are told with 0, as kubelet does. */
export function readHugepages(root = '/sys/kernel/mm/hugepages'): Record<string, number> {
  return Object.fromEntries(
    names(root).flatMap(name => {
      const kib = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1]);
      if (!kib) return [];
      const pages = Number(readFileSync(join(root, name, 'nr_hugepages'), 'utf8'));
      return [[`${prefix}${binarySize(kib)}i`, pages * kib * 1024] as const];
    }),
  );
}

function names(root: string): string[] {
  try {
    return readdirSync(root);
  } catch {
    return [];
  }
}

const binarySize = (kib: number): string =>
  kib >= 1 << 20 ? `${kib >> 20}G` : kib >= 1024 ? `${kib >> 10}M` : `${kib}K`;

/**
 * A container may take what its limit says, and nothing of a size that it does not name. Pure.
 * @param limits in Kubernetes quantities
 * @param known the sizes that this machine has, as resource names
 */
export function hugetlbFiles(limits: Readonly<Record<string, string>>, known: readonly string[]): CgroupFiles {
  return known.map(name => [
    `hugetlb.${name.slice(prefix.length).replace(/i$/, 'B')}.max`,
    limits[name] === undefined ? '0' : String(numberValue(limits[name])),
  ]);
}
