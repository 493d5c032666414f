/** `keelson image …`: the image store of this node, with or without a running agent. */
import type { Command } from 'commander';
import { createImageStore } from '../../../agent/images/store.js';
import { UserError } from '../../base/errors.js';

interface Options {
  readonly dataDir: string;
  readonly name?: string;
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)}MB`;

/** Columns as docker prints them. */
function row(name: string, id: string, size: string): string {
  return `${name.padEnd(48)} ${id.padEnd(14)} ${size}\n`;
}

async function list({ dataDir }: Options): Promise<void> {
  process.stdout.write(row('IMAGE', 'IMAGE ID', 'SIZE'));
  for (const image of await createImageStore(dataDir).list()) {
    for (const name of image.references)
      process.stdout.write(row(name, image.id.slice(7, 19), megabytes(image.sizeBytes)));
  }
}

async function importFile(file: string, { dataDir, name }: Options): Promise<void> {
  const onProgress = (line: string) => void process.stderr.write(`${line}\n`);
  const images = await createImageStore(dataDir)
    .import(file, { onProgress, ...(name !== undefined && { name }) })
    .catch((error: Error) => {
      throw new UserError(error.message, undefined, { cause: error });
    });
  for (const reference of images.flatMap(image => image.references)) process.stdout.write(`${reference}\n`);
}

async function remove(references: readonly string[], { dataDir }: Options): Promise<void> {
  const store = createImageStore(dataDir);
  for (const reference of references) {
    const { untagged, freedBytes } = await store.remove(reference).catch((error: Error) => {
      throw new UserError(error.message, 'keelson image ls lists what is there', { cause: error });
    });
    process.stdout.write(`removed ${untagged} (${megabytes(freedBytes)} freed)\n`);
  }
}

/** Adds `image ls|import|rm` to the program. */
export function registerImageCommand(program: Command): void {
  const image = program.command('image').description('images on this node');
  const withDataDir = (command: Command) =>
    command.option('--data-dir <directory>', 'state directory of the node', '/var/lib/keelson');
  withDataDir(image.command('ls')).description('list images').action(list);
  withDataDir(image.command('import'))
    .description('import an OCI layout (directory or tar) or a docker archive')
    .argument('<file>')
    .option('--name <reference>', 'call the image this')
    .action(importFile);
  withDataDir(image.command('rm')).description('remove images by name or id').argument('<image...>').action(remove);
}
