/** `keelson doctor`: what this kernel can and cannot do for a node, and what to type where something is missing. */
import type { Command } from 'commander';
import { cpu, mem, osInfo } from 'systeminformation';
import { type Finding, kernelFindings } from '../../../agent/doctor.js';
import { outputOption, paint, table } from '../output.js';

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('what this kernel can and cannot do, and what to type')
    .addOption(outputOption())
    .addHelpText('after', '\nExample:\n  keelson doctor -o json\n\nExit code 1 if something essential is missing.\n')
    .action(async ({ output }: { output: string }) => {
      const findings = [...(await machineFindings()), ...(await kernelFindings())];
      process.stdout.write(output === 'json' ? `${JSON.stringify({ findings }, null, 2)}\n` : `${render(findings)}\n`);
      process.exitCode = findings.some(f => f.level === 'missing') ? 1 : 0;
    });
}

/** Facts shown to people, not used by any decision. */
async function machineFindings(): Promise<Finding[]> {
  const [os, processor, memory] = await Promise.all([osInfo(), cpu(), mem()]);
  const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  return [
    {
      what: 'machine',
      level: 'ok',
      found: `${os.distro} ${os.release}, ${processor.manufacturer} ${processor.brand}, ${processor.cores} cores, ${gib(memory.total)} (${gib(memory.available)} free)`,
    },
  ];
}

const marks = { ok: ['ok', 'green'], limited: ['limited', 'yellow'], missing: ['missing', 'red'] } as const;

function render(findings: readonly Finding[]): string {
  return table(
    findings.flatMap(({ what, level, found, hint }) => {
      const [mark, colour] = marks[level];
      return [[paint(mark, colour), what, found], ...(hint ? [['', '', paint(`→ ${hint}`, 'grey')]] : [])];
    }),
  );
}
