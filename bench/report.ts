/** The rows that every bench gives, and how they are printed. Pure. */

export interface Row {
  readonly part: string;
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** What the value is compared with: its name and value in the same unit. */
  readonly reference?: { readonly name: string; readonly value: number };
  /** A bound on the value, or on its ratio to the reference. */
  readonly target?: Target;
  /** Spread, count, or how it was taken. */
  readonly note?: string;
}

export interface Target {
  readonly of: 'value' | 'ratio';
  readonly sense: 'at most' | 'at least';
  readonly bound: number;
}

export const ratioOf = ({ value, reference }: Row): number | undefined => reference && value / reference.value;

/** Undefined without a target. */
export function isMet(row: Row): boolean | undefined {
  if (!row.target) return undefined;
  const { of, sense, bound } = row.target;
  const measured = of === 'ratio' ? (ratioOf(row) ?? Number.NaN) : row.value;
  return sense === 'at most' ? measured <= bound : measured >= bound;
}

const columns = ['part', 'what', 'value', 'compared with', 'ratio', 'target', 'met', 'note'] as const;

/** A Markdown table that also reads well in a terminal. */
export function tableOf(rows: readonly Row[]): string {
  const cells = [columns as readonly string[], ...rows.map(cellsOf)];
  const widths = columns.map((_, column) => Math.max(...cells.map(row => row[column]!.length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  return [line(cells[0]!), line(widths.map(width => '-'.repeat(width))), ...cells.slice(1).map(line)].join('\n');
}

function cellsOf(row: Row): string[] {
  const { part, what, value, unit, reference, target, note } = row;
  const ratio = ratioOf(row);
  const met = isMet(row);
  return [
    part,
    what,
    `${rounded(value)} ${unit}`.trim(),
    reference ? `${reference.name} ${rounded(reference.value)} ${unit}`.trim() : '',
    ratio === undefined ? '' : ratio.toFixed(2),
    target
      ? `${target.sense === 'at most' ? '≤' : '≥'} ${target.bound}${target.of === 'ratio' ? ' ×' : ` ${unit}`}`.trim()
      : '',
    met === undefined ? '' : met ? 'yes' : 'NO',
    note ?? '',
  ];
}

/** Three digits that mean something. */
function rounded(value: number): string {
  if (!Number.isFinite(value)) return '—';
  return Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);
}
