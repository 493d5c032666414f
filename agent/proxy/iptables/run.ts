/** The programs of iptables: which flavour is there, and how it is asked and told. */
import { execFile, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Family } from '../contract.js';

/** `nf_tables`: rules live in tables of nftables. `legacy`: in the kernel's older ip_tables. */
export type Flavour = 'nf_tables' | 'legacy';

export interface Programs {
  /** `iptables`, `iptables-legacy` */
  readonly name: string;
  readonly flavour: Flavour;
}

const run = promisify(execFile);
/** As big as the rules of 10,000 Services are. */
const maxBuffer = 512 * 1024 * 1024;
/** Seconds that the programs themselves wait for the lock /run/xtables.lock. */
const lockSeconds = 5;
/** How often more. */
const lockTries = 6;

const candidates = ['iptables', 'iptables-nft', 'iptables-legacy'] as const;

/** Undefined if none is installed. */
export async function findPrograms(): Promise<Programs | undefined> {
  for (const name of candidates) {
    const version = await run(name, ['-V']).then(
      ({ stdout }) => stdout,
      () => undefined,
    );
    if (version !== undefined) return { name, flavour: version.includes('nf_tables') ? 'nf_tables' : 'legacy' };
  }
  return undefined;
}

const programOf = ({ name }: Programs, family: Family): string =>
  family === 'IPv4' ? name : name.replace(/^iptables/, 'ip6tables');

/** Undefined if the kernel can; else what it complains of. Makes nothing. */
export async function tryTables(programs: Programs, family: Family): Promise<string | undefined> {
  try {
    for (const table of ['nat', 'filter'])
      await run(programOf(programs, family), ['-w', String(lockSeconds), '-t', table, '-S']);
    return undefined;
  } catch (error) {
    return ((error as { stderr?: string }).stderr ?? String(error)).trim();
  }
}

/** All rules, as iptables-save prints them. */
export async function save(programs: Programs, family: Family): Promise<string> {
  const { stdout } = await run(`${programOf(programs, family)}-save`, [], { maxBuffer });
  return stdout;
}

/**
 * Everything in `text` or nothing of each table. Waits while another program holds the lock, and says so by `warn`.
 * @throws Error with the program's complaint
 */
export async function restore(
  programs: Programs,
  family: Family,
  text: string,
  warn: (message: string) => void,
): Promise<void> {
  if (text === '') return;
  for (let attempt = 1; ; attempt++) {
    const { code, complaint } = await restoreOnce(`${programOf(programs, family)}-restore`, text);
    if (code === 0) return;
    const isLocked = code === 4 && /lock/i.test(complaint);
    if (!isLocked || attempt === lockTries)
      throw new Error(`${programOf(programs, family)}-restore refused the rules of the Services: ${complaint}`);
    warn(`another program has held the lock of iptables for ${attempt * lockSeconds} s: Services wait for it`);
  }
}

function restoreOnce(program: string, text: string): Promise<{ code: number | null; complaint: string }> {
  const child = spawn(program, ['--noflush', '-w', String(lockSeconds)], { stdio: ['pipe', 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', chunk => {
    complaint += chunk;
  });
  child.stdin.on('error', () => undefined); // it ended before it read all; its exit status says why
  child.stdin.end(text);
  return new Promise((resolve, reject) => {
    child.on('error', cause => reject(new Error(`${program} cannot be run: install the package iptables`, { cause })));
    child.on('close', code => resolve({ code, complaint: explain(complaint, text).slice(0, 2000) }));
  });
}

/** With the line that was refused, where the program names it. */
function explain(complaint: string, text: string): string {
  const number = /line:? (\d+)/.exec(complaint)?.[1];
  const line = number === undefined ? undefined : text.split('\n')[Number(number) - 1];
  return line ? `${complaint.trim()} (${line})` : complaint.trim();
}

const legacyTables = { IPv4: '/proc/net/ip_tables_names', IPv6: '/proc/net/ip6_tables_names' } as const;

/** Whether the kernel has tables of the older kind; asking the program would make them. */
const hasLegacyTables = async (family: Family): Promise<boolean> =>
  (await readFile(legacyTables[family], 'utf8').catch(() => '')).trim() !== '';

/** Every flavour whose rules can be looked at without making anything, besides the chosen one. */
export async function otherFlavours(chosen: Flavour | undefined, family: Family): Promise<Programs[]> {
  const all: Programs[] = [
    { name: 'iptables-nft', flavour: 'nf_tables' },
    { name: 'iptables-legacy', flavour: 'legacy' },
  ];
  const found: Programs[] = [];
  for (const programs of all) {
    if (programs.flavour === chosen) continue;
    if (programs.flavour === 'legacy' && !(await hasLegacyTables(family))) continue;
    const isThere = await run(programs.name, ['-V']).then(
      () => true,
      () => false,
    );
    if (isThere) found.push(programs);
  }
  return found;
}
