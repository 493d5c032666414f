/** `keelson image …`: the image store of this node, with or without a running agent. */
import type { Command } from 'commander';
import { createImageStore } from '../../../agent/images/store.js';
import { describe, UserError } from '../../base/errors.js';
import { hintFor } from '../hints.js';
import { outputOption, table } from '../output.js';
import { addSettings, settingsFrom } from '../settings.js';
import { knownSiblings } from '../siblings.js';

interface Flags {
  readonly name?: string;
  readonly output?: string;
  readonly isolated?: string;
}

const storeOf = (flags: Flags) => createImageStore(settingsFrom(flags).dataDir);
/** Of the node, and of those that were started with it (`keelson up --nodes`). */
const storesOf = (flags: Flags) => {
  const { dataDir } = settingsFrom(flags);
  return [dataDir, ...knownSiblings(dataDir).map(sibling => sibling.dataDir)].map(dir => createImageStore(dir));
};

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)}MB`;

async function list(flags: Flags): Promise<void> {
  const images = await storeOf(flags).list();
  if (flags.output === 'json') {
    const rows = images.map(({ id, references, sizeBytes }) => ({ id, references, sizeBytes }));
    process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
    return;
  }
  const rows = images.flatMap(i => i.references.map(name => [name, i.id.slice(7, 19), megabytes(i.sizeBytes)]));
  process.stdout.write(`${table([['IMAGE', 'IMAGE ID', 'SIZE'], ...rows])}\n`);
}

async function importFile(file: string, flags: Flags): Promise<void> {
  const onProgress = (line: string) => void process.stderr.write(`${line}\n`);
  const names = new Set<string>();
  for (const store of storesOf(flags)) {
    const images = await store
      .import(file, { onProgress, ...(flags.name !== undefined && { name: flags.name }) })
      .catch((error: Error) => {
        throw new UserError(describe(error), hintFor(error));
      });
    for (const reference of images.flatMap(image => image.references)) names.add(reference);
  }
  for (const reference of names) process.stdout.write(`${reference}\n`);
}

async function remove(references: readonly string[], flags: Flags): Promise<void> {
  const [store, ...others] = storesOf(flags);
  for (const reference of references) {
    const { untagged, freedBytes } = await store!.remove(reference).catch((error: Error) => {
      throw new UserError(describe(error), hintFor(error) ?? 'keelson image ls lists what is there');
    });
    process.stdout.write(`removed ${untagged} (${megabytes(freedBytes)} freed)\n`);
    // the others may have been given other images by hand
    for (const other of others) await other.remove(reference).catch(() => undefined);
  }
}

/** Adds `image ls|import|rm` to the program. */
export function registerImageCommand(program: Command): void {
  const image = program.command('image').description('images of a node, also while it runs');
  const where = (command: Command) => addSettings(command, ['isolated', 'data-dir']);
  where(image.command('ls'))
    .description('list images')
    .addOption(outputOption())
    .addHelpText('after', '\nExample:\n  keelson image ls --isolated demo -o json\n')
    .action(list);
  where(image.command('import'))
    .description(
      'import an OCI layout (directory or tar) or a docker archive; verified whole before anything is visible',
    )
    .argument('<file>')
    .option('--name <reference>', 'call the image this')
    .addHelpText('after', '\nExample:\n  docker save nginx:1.27 -o nginx.tar && keelson image import nginx.tar\n')
    .action(importFile);
  where(image.command('rm'))
    .description('remove images by name or id')
    .argument('<image...>')
    .addHelpText('after', '\nExample:\n  keelson image rm localhost/busybox:1\n')
    .action(remove);
}
