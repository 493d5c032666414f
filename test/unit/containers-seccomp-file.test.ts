import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Instruction } from '../../agent/containers/seccomp.js';
import { compileProfile, type SeccompProfile } from '../../agent/containers/seccomp-file.js';
import { syscallNumbers } from '../../agent/containers/syscalls.js';

const ALLOW = 0x7fff0000;
const EPERM = 0x00050001;

/** The kernel's interpreter of classic BPF, for the instructions that are used here. */
function verdict(program: readonly Instruction[], name: string, args: readonly bigint[] = []): number {
  const data = new Map<number, number>([
    [0, syscallNumbers.get(name) ?? -1],
    [4, 0xc000003e],
  ]);
  for (let i = 0; i < 6; i++) {
    const value = BigInt.asUintN(64, args[i] ?? 0n);
    data.set(16 + i * 8, Number(value & 0xffffffffn)).set(20 + i * 8, Number(value >> 32n));
  }
  let accumulator = 0;
  for (let pc = 0; ; pc++) {
    const { code, jt, jf, k } = program[pc] as Instruction;
    const value = k >>> 0;
    if (code === 0x20) accumulator = data.get(k) ?? 0;
    else if (code === 0x54) accumulator = (accumulator & value) >>> 0;
    else if (code === 0x06) return value;
    else if (code === 0x05) pc += k;
    else if (code === 0x15) pc += accumulator === value ? jt : jf;
    else if (code === 0x25) pc += accumulator > value ? jt : jf;
    else if (code === 0x35) pc += accumulator >= value ? jt : jf;
    else throw new Error(`unknown opcode ${code}`);
    if (jt > 255 || jf > 255) throw new Error('jump too long');
  }
}

const run = (profile: SeccompProfile, name: string, args: readonly bigint[] = []) =>
  verdict(compileProfile(profile), name, args);

describe('a profile of the node', () => {
  test('what no rule names gets the default action', () => {
    const profile = {
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 38,
      syscalls: [{ names: ['read'], action: 'SCMP_ACT_ALLOW' }],
    };
    expect(run(profile, 'read')).toBe(ALLOW);
    expect(run(profile, 'write')).toBe(0x00050026);
  });

  test('a call that is denied where all else is allowed', () => {
    const profile = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }],
    };
    expect(run(profile, 'mkdir')).toBe(EPERM);
    expect(run(profile, 'mkdirat')).toBe(EPERM);
    expect(run(profile, 'open')).toBe(ALLOW);
  });

  test('rules of one call are asked in order; one without arguments settles what they leave', () => {
    const profile = {
      defaultAction: 'SCMP_ACT_KILL_PROCESS',
      syscalls: [
        { names: ['personality'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 8, op: 'SCMP_CMP_EQ' }] },
        { names: ['personality'], action: 'SCMP_ACT_LOG', args: [{ index: 0, value: 8, op: 'SCMP_CMP_GT' }] },
        { names: ['personality'], action: 'SCMP_ACT_ERRNO', errnoRet: 2 },
      ],
    };
    expect(run(profile, 'personality', [8n])).toBe(ALLOW);
    expect(run(profile, 'personality', [1n << 40n])).toBe(0x7ffc0000);
    expect(run(profile, 'personality', [7n])).toBe(0x00050002);
    expect(run(profile, 'read')).toBe(0x80000000);
  });

  const operators: Record<string, (a: bigint, v: bigint, t: bigint) => boolean> = {
    SCMP_CMP_EQ: (a, v) => a === v,
    SCMP_CMP_NE: (a, v) => a !== v,
    SCMP_CMP_LT: (a, v) => a < v,
    SCMP_CMP_LE: (a, v) => a <= v,
    SCMP_CMP_GT: (a, v) => a > v,
    SCMP_CMP_GE: (a, v) => a >= v,
    SCMP_CMP_MASKED_EQ: (a, v, t) => (a & v) === t,
  };
  const edge = fc.oneof(
    fc.constantFrom(0n, 1n, 0xffffffffn, 0x100000000n, 0x1ffffffffn),
    fc.bigInt(0n, (1n << 53n) - 1n),
  );
  const condition = fc.record({
    index: fc.nat(5),
    op: fc.constantFrom(...Object.keys(operators)),
    value: edge,
    valueTwo: edge,
  });

  test('every operator compares 64 bits as it says, and all tests of a rule must hold', () => {
    fc.assert(
      fc.property(
        fc.array(condition, { minLength: 1, maxLength: 6 }),
        fc.array(edge, { minLength: 6, maxLength: 6 }),
        (tests, args) => {
          const profile = {
            defaultAction: 'SCMP_ACT_ERRNO',
            syscalls: [
              {
                names: ['socket'],
                action: 'SCMP_ACT_ALLOW',
                args: tests.map(t => ({ ...t, value: Number(t.value), valueTwo: Number(t.valueTwo) })),
              },
            ],
          };
          const holds = tests.every(t => operators[t.op]?.(args[t.index] ?? 0n, t.value, t.valueTwo));
          expect(run(profile, 'socket', args)).toBe(holds ? ALLOW : EPERM);
        },
      ),
    );
  });

  test('what cannot be done is refused by name, never weakened', () => {
    expect(() => compileProfile({ defaultAction: 'SCMP_ACT_NOTIFY' })).toThrow('seccomp action "SCMP_ACT_NOTIFY"');
    expect(() => compileProfile({})).toThrow('seccomp action "undefined"');
    const bad = (args: { index: number; value: number; op: string }) => () =>
      compileProfile({
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['read'], action: 'SCMP_ACT_ERRNO', args: [args] }],
      });
    expect(bad({ index: 6, value: 0, op: 'SCMP_CMP_EQ' })).toThrow('index 6');
    expect(bad({ index: 0, value: 0, op: 'EQ' })).toThrow('operator "EQ"');
  });
});
