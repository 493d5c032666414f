/**
 * The seccomp filter as classic BPF bytes, made once per set of capabilities; the shim only hands them to the kernel.
 * Shape: check the architecture, then a binary tree over ranges of system call numbers with the same verdict, about
 * eight jumps deep; calls whose arguments matter have a small program as their leaf. `seccomp(2)`, `bpf` "classic".
 */
import {
  allowedPersonalities,
  allowedSyscalls,
  allowedWithCapability,
  deniedSocketFamilies,
  newNamespaceFlags,
} from './seccomp-profile.js';
import { newestSyscall, syscallNumbers } from './syscalls.js';

/** One instruction: struct sock_filter. */
export interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** Opcodes, in linux/bpf_common.h. */
const LOAD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP = 0x05; // BPF_JMP | BPF_JA
const EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const AT_LEAST = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const ANY_BIT = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN = 0x06; // BPF_RET | BPF_K

/** Offsets in struct seccomp_data. */
const NUMBER = 0;
const ARCHITECTURE = 4;
/** Low half of args[0] on a little-endian machine. */
const ARGUMENT_0 = 16;

const AUDIT_ARCH_X86_64 = 0xc000003e;
/** Set in the number of x32 calls. */
const X32_BIT = 0x40000000;

export const allow = 0x7fff0000;
const errno = (number: number) => 0x00050000 | number;
/** EPERM: known and denied. */
export const deny = errno(1);
/** ENOSYS: as if this kernel did not have it, so that libc falls back. */
export const unknown = errno(38);

const load = (k: number): Instruction => ({ code: LOAD, jt: 0, jf: 0, k });
const give = (k: number): Instruction => ({ code: RETURN, jt: 0, jf: 0, k });
const jump = (code: number, k: number, jt: number, jf: number): Instruction => ({ code, jt, jf, k });

/** A run of system call numbers, from `first` to the next range, with one verdict: a short program. */
interface Range {
  readonly first: number;
  readonly verdict: readonly Instruction[];
}

/** Verdict by the low 32 bits of the first argument: `whenMatched` if one of the tests holds. */
function byArgument(
  tests: readonly (readonly [code: number, k: number])[],
  whenMatched: number,
  otherwise: number,
): Instruction[] {
  const checks = tests.map(([code, k], index) => jump(code, k, tests.length - index, 0));
  return [load(ARGUMENT_0), ...checks, give(otherwise), give(whenMatched)];
}

/** The verdicts of all numbers that are not simply denied. */
function verdicts(capabilities: ReadonlySet<string>): Map<number, readonly Instruction[]> {
  const found = new Map<number, readonly Instruction[]>();
  const set = (name: string, verdict: readonly Instruction[]) => {
    const number = syscallNumbers.get(name);
    if (number !== undefined) found.set(number, verdict);
  };
  for (const name of allowedSyscalls) set(name, [give(allow)]);
  set('clone', byArgument([[ANY_BIT, newNamespaceFlags]], deny, allow));
  set('clone3', [give(unknown)]);
  set(
    'socket',
    byArgument(
      deniedSocketFamilies.map(family => [EQUAL, family] as const),
      deny,
      allow,
    ),
  );
  set(
    'personality',
    byArgument(
      allowedPersonalities.map(value => [EQUAL, value] as const),
      allow,
      deny,
    ),
  );
  for (const [capability, names] of Object.entries(allowedWithCapability)) {
    if (capabilities.has(capability)) for (const name of names) set(name, [give(allow)]);
  }
  return found;
}

const same = (a: readonly Instruction[], b: readonly Instruction[]) => JSON.stringify(a) === JSON.stringify(b);

interface Verdicts {
  readonly found: ReadonlyMap<number, readonly Instruction[]>;
  /** Of numbers that are not in it, and of those that we have no name for. */
  readonly otherwise: readonly Instruction[];
  readonly beyond: readonly Instruction[];
}

/** Merges neighbours with the same verdict. */
function ranges({ found, otherwise, beyond }: Verdicts): Range[] {
  const result: Range[] = [];
  for (let number = 0; number <= newestSyscall + 1; number++) {
    const verdict = number > newestSyscall ? beyond : (found.get(number) ?? otherwise);
    const last = result.at(-1);
    if (!last || !same(last.verdict, verdict)) result.push({ first: number, verdict });
  }
  return result;
}

/** Binary tree: left half first, so that a jump goes forward; a long one needs an instruction of its own (8-bit offsets). */
function tree(list: readonly Range[]): Instruction[] {
  if (list.length === 1) return [...list[0]!.verdict];
  const middle = list.length >> 1;
  const left = tree(list.slice(0, middle));
  const right = tree(list.slice(middle));
  const first = list[middle]!.first;
  if (left.length <= 255) return [jump(AT_LEAST, first, left.length, 0), ...left, ...right];
  return [jump(AT_LEAST, first, 0, 1), { code: JUMP, jt: 0, jf: 0, k: left.length }, ...left, ...right];
}

/** @param capabilities names without CAP_ */
export function seccompProgram(capabilities: Iterable<string>): Instruction[] {
  return programOf(verdicts(new Set(capabilities)), [give(deny)], [give(unknown)]);
}

/** Calls of another architecture than ours are denied, whatever their numbers. */
export function programOf(
  found: Verdicts['found'],
  otherwise: Verdicts['otherwise'],
  beyond: Verdicts['beyond'],
): Instruction[] {
  return [
    load(ARCHITECTURE),
    jump(EQUAL, AUDIT_ARCH_X86_64, 1, 0),
    give(deny),
    load(NUMBER),
    jump(AT_LEAST, X32_BIT, 0, 1),
    give(deny),
    ...tree(ranges({ found, otherwise, beyond })),
  ];
}

/** struct sock_filter[]: u16 code, u8 jt, u8 jf, u32 k. */
export function encodeProgram(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(({ code, jt, jf, k }, index) => {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(jt, index * 8 + 2);
    bytes.writeUInt8(jf, index * 8 + 3);
    bytes.writeUInt32LE(k >>> 0, index * 8 + 4);
  });
  return bytes;
}

const compiled = new Map<string, Buffer>();

/** The default profile for a container with these capabilities. Few sets occur, so every one is compiled once. */
export function defaultSeccomp(capabilities: readonly string[]): Buffer {
  const key = [...capabilities].sort().join(' ');
  const known = compiled.get(key) ?? encodeProgram(seccompProgram(capabilities));
  compiled.set(key, known);
  return known;
}
