/** The `keelson` command: parses words, runs one command, turns failures into one line and an exit code. */
import { Command } from 'commander';
import { describe, UserError } from '../base/errors.js';
import { version } from '../base/version.js';
import { hintFor } from './hints.js';

const program = new Command('keelson')
  .description('A Kubernetes-compatible cluster from one small program: real pods, no Docker, no containerd.')
  .version(version)
  .showHelpAfterError('(add --help for the flags and an example)')
  .addHelpText(
    'after',
    '\nStart here:\n  keelson doctor            what this kernel can do\n  keelson up                a whole cluster on this machine\n',
  );

/** In the order of the help. Each is loaded when it is asked for: what the others need would double the time of a start. */
const commands: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  up: async () => (await import('./commands/up.js')).registerUp,
  controller: async () => (await import('./commands/controller.js')).registerController,
  agent: async () => (await import('./commands/agent.js')).registerAgent,
  join: async () => (await import('./commands/join.js')).registerJoin,
  hollow: async () => (await import('./commands/hollow.js')).registerHollow,
  image: async () => (await import('./commands/image.js')).registerImageCommand,
  inspect: async () => (await import('./commands/inspect.js')).registerInspect,
  ingress: async () => (await import('./commands/ingress.js')).registerIngress,
  doctor: async () => (await import('./commands/doctor.js')).registerDoctor,
  enter: async () => (await import('./commands/enter.js')).registerEnter,
  sandbox: async () => (await import('./commands/sandbox.js')).registerSandbox,
  token: async () => (await import('./commands/token.js')).registerToken,
  reset: async () => (await import('./commands/reset.js')).registerReset,
};

const asked = process.argv[2] ?? '';
// without a command, or with one that is not there, commander shows all
const wanted = Object.hasOwn(commands, asked) ? [asked] : Object.keys(commands);
for (const name of wanted) (await commands[name]?.())?.(program);

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
