/** The `keelson` command: parses words, runs one command, turns failures into one line and an exit code. */
import { Command } from 'commander';
import { describe, UserError } from '../base/errors.js';
import { version } from '../base/version.js';
import { registerAgent } from './commands/agent.js';
import { registerController } from './commands/controller.js';
import { registerDoctor } from './commands/doctor.js';
import { registerEnter } from './commands/enter.js';
import { registerHollow } from './commands/hollow.js';
import { registerImageCommand } from './commands/image.js';
import { registerIngress } from './commands/ingress.js';
import { registerInspect } from './commands/inspect.js';
import { registerJoin } from './commands/join.js';
import { registerReset } from './commands/reset.js';
import { registerSandbox } from './commands/sandbox.js';
import { registerToken } from './commands/token.js';
import { registerUp } from './commands/up.js';
import { hintFor } from './hints.js';

const program = new Command('keelson')
  .description('A Kubernetes-compatible cluster from one small program: real pods, no Docker, no containerd.')
  .version(version)
  .showHelpAfterError('(add --help for the flags and an example)')
  .addHelpText(
    'after',
    '\nStart here:\n  keelson doctor            what this kernel can do\n  keelson up                a whole cluster on this machine\n',
  );

for (const register of [
  registerUp,
  registerController,
  registerAgent,
  registerJoin,
  registerHollow,
  registerImageCommand,
  registerInspect,
  registerIngress,
  registerDoctor,
  registerEnter,
  registerSandbox,
  registerToken,
  registerReset,
])
  register(program);

process.on('unhandledRejection', (error: unknown) => {
  // never swallowed: a supervisor starts us again, and pods do not notice (reliability rule A17)
  process.stderr.write(`keelson: unexpected error: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(70);
});

try {
  await program.parseAsync();
} catch (error) {
  const hint = (error instanceof UserError ? error.hint : undefined) ?? hintFor(error);
  const text =
    error instanceof UserError || process.env['KEELSON_LOG'] !== 'debug' ? describe(error) : (error as Error).stack;
  process.stderr.write(`keelson: ${text}${hint ? `\n  ${hint}` : ''}\n`);
  process.exit(1);
}
