/** What commands print: a table on a terminal or in a pipe, or JSON where people script it. */
import { Option } from 'commander';

export const outputOption = (): Option =>
  new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table');

const colours = { green: 32, red: 31, yellow: 33, grey: 90, bold: 1 } as const;

/** Colour on a terminal only, and never with NO_COLOR (no-color.org). */
export function paint(text: string, colour: keyof typeof colours, to: NodeJS.WriteStream = process.stdout): string {
  return to.isTTY && !process.env['NO_COLOR'] ? `\x1b[${colours[colour]}m${text}\x1b[0m` : text;
}

/** Columns padded to their widest cell, two blanks between; control characters are taken out of cells. */
export function table(rows: readonly (readonly string[])[]): string {
  const clean = rows.map(row => row.map(cell => cell.replace(/[\x00-\x1a\x1c-\x1f\x7f]/g, ' ')));
  const widths: number[] = [];
  for (const row of clean) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, visible(cell));
  return clean
    .map(row =>
      row
        .map((cell, i) => (i === row.length - 1 ? cell : cell + ' '.repeat((widths[i] ?? 0) - visible(cell))))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

// our own colour sequences take no room
const visible = (text: string): number => text.replace(/\x1b\[\d+m/g, '').length;
