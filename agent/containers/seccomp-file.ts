/**
 * A profile of the node's own (seccompProfile Localhost): OCI's linux.seccomp as JSON → a program. Pure but for `load`.
 * Rules of a call are asked in order; one without arguments settles it; what no rule meets gets the default action.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../../src/base/errors.js';
import { CreateError } from './contract.js';
import { encodeProgram, type Instruction, programOf } from './seccomp.js';
import { type ArgumentTest, argumentTest } from './seccomp-arguments.js';
import { syscallNumbers } from './syscalls.js';

interface Rule {
  readonly names?: readonly string[];
  readonly action?: string;
  readonly errnoRet?: number;
  readonly args?: readonly ArgumentTest[] | null;
}
export interface SeccompProfile {
  readonly defaultAction?: string;
  readonly defaultErrnoRet?: number;
  readonly syscalls?: readonly Rule[] | null;
}

/** SECCOMP_RET_* of linux/seccomp.h. */
const actions: Readonly<Record<string, number>> = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x00030000,
  SCMP_ACT_ERRNO: 0x00050000,
  SCMP_ACT_TRACE: 0x7ff00000,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ALLOW: 0x7fff0000,
};
const EPERM = 1;
const RETURN = 0x06;

/** @param errnoRet what SCMP_ACT_ERRNO returns, EPERM without it. Throws CreateError for an unknown action. */
function actionValue(action: string | undefined, errnoRet: number | undefined): number {
  const value = actions[action ?? ''];
  if (value === undefined)
    throw new CreateError(`seccomp action "${action}": allowed are ${Object.keys(actions).join(', ')}`);
  return action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE' ? value | ((errnoRet ?? EPERM) & 0xffff) : value;
}

const give = (k: number): Instruction => ({ code: RETURN, jt: 0, jf: 0, k });

/** Throws CreateError for what this node cannot do: never a weaker filter than the one asked for. */
export function compileProfile(profile: SeccompProfile): Instruction[] {
  const otherwise = give(actionValue(profile.defaultAction, profile.defaultErrnoRet));
  const rules = new Map<number, Rule[]>();
  for (const rule of profile.syscalls ?? [])
    for (const name of rule.names ?? []) {
      const number = syscallNumbers.get(name);
      if (number !== undefined) rules.set(number, [...(rules.get(number) ?? []), rule]);
    }
  const verdicts = new Map([...rules].map(([number, list]) => [number, verdictOf(list, otherwise)] as const));
  return programOf(verdicts, [otherwise], [otherwise]);
}

function verdictOf(rules: readonly Rule[], otherwise: Instruction): Instruction[] {
  const plain = rules.find(rule => !rule.args?.length);
  const last = plain ? give(actionValue(plain.action, plain.errnoRet)) : otherwise;
  const asked = rules.filter(rule => rule.args?.length);
  return [...asked.flatMap(rule => argumentTest(rule.args ?? [], give(actionValue(rule.action, rule.errnoRet)))), last];
}

/** @param directory of profiles, `<data dir>/seccomp`. @param name relative to it. Throws CreateError. */
export async function loadProfile(directory: string, name: string): Promise<Buffer> {
  if (name === '' || name.startsWith('/') || name.split('/').includes('..'))
    throw new CreateError(`seccomp profile "${name}": must be a relative path without ".."`);
  const path = join(directory, name);
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const why = codeOf(error) === 'ENOENT' ? 'no such file or directory' : String(codeOf(error) ?? error);
    throw new CreateError(`cannot load seccomp profile "${path}": open ${path}: ${why}`);
  });
  try {
    return encodeProgram(compileProfile(JSON.parse(text) as SeccompProfile));
  } catch (error) {
    throw new CreateError(`cannot load seccomp profile "${path}": ${error instanceof Error ? error.message : error}`);
  }
}
