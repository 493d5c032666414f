/** resource.Quantity: `500m`, `1.5Gi`, `1e3`: exact arithmetic on BigInt nano-units, and Kubernetes' canonical form. */

const binary: Record<string, bigint> = {
  Ki: 1n << 10n,
  Mi: 1n << 20n,
  Gi: 1n << 30n,
  Ti: 1n << 40n,
  Pi: 1n << 50n,
  Ei: 1n << 60n,
};
/** Decimal suffixes as powers of ten. */
const decimal: Record<string, number> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const nano = 1_000_000_000n;

interface Parsed {
  /** In units of 10⁻⁹, rounded up as Kubernetes does. */
  readonly nanos: bigint;
  readonly form: 'binary' | 'decimal' | 'exponent';
}

export class QuantityError extends Error {
  override name = 'QuantityError';
}

const complaint = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

function parse(text: string): Parsed {
  const match =
    text.length > 64 ? null : /^([+-]?)(\d*)(?:\.(\d*))?(?:([eE])([+-]?\d{1,3})|([KMGTPE]i|[numkMGTPE]))?$/.exec(text);
  if (!match || (match[2] ?? '') + (match[3] ?? '') === '') throw new QuantityError(complaint);
  const [, sign, whole = '', fraction = '', , exponent, suffix = ''] = match;
  const multiplier = binary[suffix];
  const power = exponent !== undefined ? Number(exponent) : multiplier ? 0 : decimal[suffix]!;
  const scaled = scale(BigInt(whole + fraction) * (multiplier ?? 1n), 9 + power - fraction.length);
  const form = exponent !== undefined ? 'exponent' : multiplier ? 'binary' : 'decimal';
  return { nanos: sign === '-' ? -scaled : scaled, form };
}

/** value · 10^power, rounded up (away from zero, value is not negative). */
function scale(value: bigint, power: number): bigint {
  if (power >= 0) return value * 10n ** BigInt(Math.min(power, 400));
  const divisor = 10n ** BigInt(-power);
  return (value + divisor - 1n) / divisor;
}

/** Why the text is no quantity, or undefined. */
export function quantityProblem(text: string): string | undefined {
  try {
    parse(text);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** In nano-units. Throws QuantityError. */
export function quantityNanos(text: string | number): bigint {
  return parse(String(text)).nanos;
}

/** The canonical text of so many nano-units, in the style (binary or decimal) of another quantity. */
export function quantityOf(nanos: bigint, like: string | number): string {
  const isBinary = parse(String(like)).form === 'binary';
  return canonicalQuantity(isBinary && nanos % nano === 0n ? toBinary(nanos / nano) : `${nanos}n`);
}

/** With a suffix, so that its canonical form stays binary. */
const toBinary = (units: bigint): string => (units % 1024n === 0n ? `${units / 1024n}Ki` : `${units}`);

/** In thousandths, rounded up: `500m` is 500n. Throws QuantityError. */
export function milliValue(text: string | number): bigint {
  const nanos = quantityNanos(text);
  return nanos > 0n ? (nanos + 999_999n) / 1_000_000n : nanos / 1_000_000n;
}

/** In whole units, rounded up; good for bytes. Throws QuantityError. */
export function numberValue(text: string | number): number {
  const nanos = quantityNanos(text);
  return Number(nanos > 0n ? (nanos + nano - 1n) / nano : nanos / nano);
}

export function compareQuantities(a: string | number, b: string | number): number {
  const difference = quantityNanos(a) - quantityNanos(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const decimalSuffixes = new Map(Object.entries(decimal).map(([suffix, power]) => [power, suffix]));

/** Kubernetes' canonical text: no fraction, the largest suffix that keeps the number whole. Throws QuantityError. */
export function canonicalQuantity(text: string | number): string {
  const { nanos, form } = parse(String(text));
  if (nanos === 0n) return '0';
  const sign = nanos < 0n ? '-' : '';
  const size = nanos < 0n ? -nanos : nanos;
  if (form === 'binary' && size % nano === 0n && size >= 1024n * nano) return sign + canonicalBinary(size / nano);
  return sign + canonicalDecimal(size, form === 'exponent');
}

function canonicalBinary(units: bigint): string {
  let value = units;
  let step = 0;
  while (step < 6 && value % 1024n === 0n) {
    value /= 1024n;
    step++;
  }
  return `${value}${binarySuffixes[step]}`;
}

function canonicalDecimal(nanos: bigint, exponent: boolean): string {
  let value = nanos;
  let power = -9;
  while (power < 18 && value % 1000n === 0n) {
    value /= 1000n;
    power += 3;
  }
  if (exponent) return power === 0 ? `${value}` : `${value}e${power}`;
  return `${value}${decimalSuffixes.get(power)}`;
}
