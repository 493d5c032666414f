/** Tests of system call arguments (64 bits, compared in two halves) as classic BPF. Pure. */
import { CreateError } from './contract.js';
import type { Instruction } from './seccomp.js';

export interface ArgumentTest {
  /** 0 to 5. */
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: string;
}

const LOAD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const AND = 0x54; // BPF_ALU | BPF_AND | BPF_K
const EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const ABOVE = 0x25; // BPF_JMP | BPF_JGT | BPF_K
const AT_LEAST = 0x35; // BPF_JMP | BPF_JGE | BPF_K
/** args[0] in struct seccomp_data. */
const FIRST = 16;

/** Where a jump goes: on with the next instruction, or out of the test by success or failure. */
type Target = 'next' | 'pass' | 'fail';
interface Step {
  readonly code: number;
  readonly k: number;
  readonly yes?: Target;
  readonly no?: Target;
}

const halves = (value: number): readonly [high: number, low: number] => {
  const big = BigInt.asUintN(64, BigInt(value));
  return [Number(big >> 32n), Number(big & 0xffffffffn)];
};

const opposite = { next: 'next', pass: 'fail', fail: 'pass' } as const;
const negated = (steps: readonly Step[]): Step[] =>
  steps.map(step => ({
    ...step,
    ...(step.yes && { yes: opposite[step.yes] }),
    ...(step.no && { no: opposite[step.no] }),
  }));

function stepsOf({ index, value, valueTwo = 0, op }: ArgumentTest): Step[] {
  if (!(index >= 0 && index <= 5)) throw new CreateError(`seccomp argument index ${index}: allowed are 0 to 5`);
  const [high, low] = halves(value);
  const [datumHigh, datumLow] = halves(valueTwo);
  const loadHigh = { code: LOAD, k: FIRST + index * 8 + 4 };
  const loadLow = { code: LOAD, k: FIRST + index * 8 };
  const equal: Step[] = [
    loadHigh,
    { code: EQUAL, k: high, yes: 'next', no: 'fail' },
    loadLow,
    { code: EQUAL, k: low, yes: 'pass', no: 'fail' },
  ];
  const ordered = (code: number): Step[] => [
    loadHigh,
    { code: ABOVE, k: high, yes: 'pass', no: 'next' },
    { code: EQUAL, k: high, yes: 'next', no: 'fail' },
    loadLow,
    { code, k: low, yes: 'pass', no: 'fail' },
  ];
  switch (op) {
    case 'SCMP_CMP_EQ':
      return equal;
    case 'SCMP_CMP_NE':
      return negated(equal);
    case 'SCMP_CMP_GT':
      return ordered(ABOVE);
    case 'SCMP_CMP_LE':
      return negated(ordered(ABOVE));
    case 'SCMP_CMP_GE':
      return ordered(AT_LEAST);
    case 'SCMP_CMP_LT':
      return negated(ordered(AT_LEAST));
    case 'SCMP_CMP_MASKED_EQ':
      return [
        loadHigh,
        { code: AND, k: high },
        { code: EQUAL, k: datumHigh, yes: 'next', no: 'fail' },
        loadLow,
        { code: AND, k: low },
        { code: EQUAL, k: datumLow, yes: 'pass', no: 'fail' },
      ];
    default:
      throw new CreateError(`seccomp operator "${op}": allowed are SCMP_CMP_NE, LT, LE, EQ, GE, GT and MASKED_EQ`);
  }
}

/** All tests hold: `verdict`; one does not: what follows this program. */
export function argumentTest(tests: readonly ArgumentTest[], verdict: Instruction): Instruction[] {
  const parts = tests.map(stepsOf);
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  let start = 0;
  const code = parts.flatMap(part => {
    const end = start + part.length;
    const at = start;
    start = end;
    return part.map(({ code, k, yes = 'next', no = 'next' }, i): Instruction => {
      const distance = (target: Target) => {
        const next = at + i + 1;
        return target === 'next' ? 0 : target === 'pass' ? end - next : total + 1 - next;
      };
      return { code, k, jt: distance(yes), jf: distance(no) };
    });
  });
  return [...code, verdict];
}
