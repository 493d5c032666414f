import { describe, expect, test } from 'vitest';
import {
  allow,
  deny,
  encodeProgram,
  type Instruction,
  seccompProgram,
  unknown,
} from '../../agent/containers/seccomp.js';
import { allowedSyscalls } from '../../agent/containers/seccomp-profile.js';
import { newestSyscall, syscallNumbers } from '../../agent/containers/syscalls.js';

const x86_64 = 0xc000003e;

interface Call {
  readonly nr: number;
  readonly arch?: number;
  readonly arg0?: number;
}

/** The kernel's interpreter of classic BPF, for the instructions that we use; also refuses what its verifier would. */
function verdict(program: readonly Instruction[], { nr, arch = x86_64, arg0 = 0 }: Call): number {
  const data: Record<number, number> = { 0: nr >>> 0, 4: arch >>> 0, 16: arg0 >>> 0 };
  let accumulator = 0;
  for (let pc = 0; ; pc++) {
    const { code, jt, jf, k } = program[pc]!;
    const value = k >>> 0;
    if (code === 0x20) accumulator = data[k]!;
    else if (code === 0x06) return value;
    else if (code === 0x05) pc += k;
    else if (code === 0x15) pc += accumulator === value ? jt : jf;
    else if (code === 0x35) pc += accumulator >= value ? jt : jf;
    else if (code === 0x45) pc += (accumulator & value) !== 0 ? jt : jf;
    else throw new Error(`unknown opcode ${code}`);
    if (jt > 255 || jf > 255) throw new Error('jump too long');
  }
}

const plain = seccompProgram([]);
const of = (name: string, arg0 = 0, program = plain) => verdict(program, { nr: syscallNumbers.get(name)!, arg0 });

describe('the default profile', () => {
  test('gives every known call its verdict', () => {
    const special = new Set(['clone', 'clone3', 'socket', 'personality']);
    for (const [name, nr] of syscallNumbers) {
      if (special.has(name)) continue;
      expect(verdict(plain, { nr }), name).toBe(allowedSyscalls.includes(name) ? allow : deny);
    }
  });

  test.each([
    'mount',
    'umount2',
    'unshare',
    'setns',
    'pivot_root',
    'bpf',
    'keyctl',
    'io_uring_setup',
    'userfaultfd',
    'open_by_handle_at',
    'kexec_load',
    'init_module',
  ])('denies %s', name => {
    expect(of(name)).toBe(deny);
  });

  test('looks at arguments: clone, socket, personality', () => {
    expect(of('clone', 0x11)).toBe(allow);
    expect(of('clone', 0x10000000)).toBe(deny);
    expect(of('clone', 0x00020000 | 0x11)).toBe(deny);
    expect(of('clone3')).toBe(unknown);
    expect([1, 2, 10, 16, 17, 37, 39, 41].map(family => of('socket', family))).toEqual(Array(8).fill(allow));
    expect([38, 40].map(family => of('socket', family))).toEqual([deny, deny]);
    expect([0, 8, 0x20000, 0x20008, 0xffffffff].map(value => of('personality', value))).toEqual(Array(5).fill(allow));
    expect([1, 0x40000, 0x20001].map(value => of('personality', value))).toEqual([deny, deny, deny]);
  });

  test('knows foreign ABIs and the future', () => {
    expect(verdict(plain, { nr: 1, arch: 0x40000003 })).toBe(deny);
    expect(verdict(plain, { nr: 0x40000000 + 1 })).toBe(deny);
    expect(verdict(plain, { nr: newestSyscall + 1 })).toBe(unknown);
    expect(verdict(plain, { nr: 5000 })).toBe(unknown);
  });

  test('a capability brings its calls', () => {
    const admin = seccompProgram(['SYS_ADMIN', 'SYS_TIME']);
    expect(of('mount', 0, admin)).toBe(allow);
    expect(of('clone', 0x10000000, admin)).toBe(allow);
    expect(of('clone3', 0, admin)).toBe(allow);
    expect(of('settimeofday', 0, admin)).toBe(allow);
    expect(of('init_module', 0, admin)).toBe(deny);
  });

  test('fits the kernel: at most 4096 instructions, of 8 bytes, every jump inside', () => {
    expect(plain.length).toBeLessThan(1000);
    expect(encodeProgram(plain).length).toBe(plain.length * 8);
    plain.forEach(({ jt, jf, code, k }, at) => {
      const furthest = at + 1 + (code === 5 ? k : Math.max(jt, jf));
      expect(furthest).toBeLessThan(plain.length + (code === 6 ? 1 : 0));
    });
  });
});
