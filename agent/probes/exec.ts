/** A command inside the container, for probes and hooks: what it says, how it ends, and its end if it takes too long. */
import type { ContainerStreams } from '../containers/contract.js';

const outputLimit = 10 * 1024;

export interface CommandResult {
  /** Undefined: it was cut short. */
  readonly code: number | undefined;
  readonly output: string;
}

/** Rejects if the command could not be started. @param signal ends the command for good */
export async function runCommand(streams: ContainerStreams, signal: AbortSignal): Promise<CommandResult> {
  const heard: string[] = [];
  let length = 0;
  for (const stream of [streams.stdout, streams.stderr])
    stream?.on('data', (part: Buffer) => {
      // read to the end, so that it never waits for us; kept is the beginning
      if (length < outputLimit) heard.push(part.toString());
      length += part.length;
    });
  const cut = new Promise<undefined>(resolve => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  const outputs = [ended(streams.stdout), ...(streams.stderr ? [ended(streams.stderr)] : [])];
  try {
    const exit = await Promise.race([streams.exited, cut]);
    // what it left running may hold its output open for ever
    if (exit) await Promise.race([Promise.all(outputs), cut, pause(50)]);
    return { code: exit && (exit.code ?? 128 + (exit.signal ?? 0)), output: heard.join('').slice(0, outputLimit) };
  } finally {
    streams.close();
  }
}

const pause = (ms: number): Promise<void> => new Promise(resolve => void setTimeout(resolve, ms));

const ended = (stream: NodeJS.ReadableStream): Promise<void> =>
  new Promise(resolve => {
    stream.once('end', () => resolve());
    stream.once('close', () => resolve());
  });
