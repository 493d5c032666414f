/** Commands in a running container: one helper (`shim exec`) each, ended when its control socket closes. */
import type { Socket } from 'node:net';
import { type ProcessIdentity, spawnProgram } from '../../native/index.js';
import { type ContainerSpec, type ContainerStreams, StartError } from './contract.js';
import { encodeExec } from './encode.js';
import { failureError } from './failure.js';
import { deferred, socketOf } from './streams.js';
import { FrameDecoder, parseExit, resizeFrame, type ShimFrame } from './wire.js';

export interface ExecOptions {
  readonly spec: ContainerSpec;
  readonly container: ProcessIdentity;
  readonly cgroup: string;
  /** Where the helper itself lives: outside the container's, which may be frozen, full or killed. */
  readonly helperCgroup: string;
  readonly command: readonly string[];
  readonly stdin: boolean;
  readonly tty: boolean;
}

/** Programs look for a terminal's name; the container's own environment goes first. */
function withTerminal(spec: ContainerSpec, tty: boolean): ContainerSpec {
  return tty && !spec.env.some(v => v.startsWith('TERM=')) ? { ...spec, env: [...spec.env, 'TERM=xterm'] } : spec;
}

export async function execInContainer(options: ExecOptions): Promise<ContainerStreams> {
  const { stdin, tty } = options;
  const spec = withTerminal(options.spec, tty);
  const object = `command ${JSON.stringify(options.command)} in ${spec.object}`;
  const config = encodeExec({
    spec,
    command: options.command,
    cgroup: options.cgroup,
    container: options.container,
    tty,
    stdin,
  });
  const { process, sockets } = await spawnProgram({
    object,
    program: 'shim',
    args: ['exec'],
    config,
    sockets: 4,
    cgroup: options.helperCgroup,
  });
  void process.wait().finally(() => process.close());
  const [control, input, output, errors] = sockets.map(socketOf) as [Socket, Socket, Socket, Socket];
  if (!stdin) input.destroy();
  if (tty) errors.destroy();
  return {
    ...(stdin && { stdin: input }),
    stdout: output,
    ...(!tty && { stderr: errors }),
    resize: (columns, rows) => void (control.destroyed || control.write(resizeFrame(columns, rows))),
    exited: readResult(control, object),
    close: () => {
      for (const socket of [control, input, output, errors]) socket.destroy();
    },
  };
}

/** The helper's last word: exit status, or why the command could not be started. */
function readResult(control: Socket, object: string): ContainerStreams['exited'] {
  const result = deferred<Awaited<ContainerStreams['exited']>>();
  const decoder = new FrameDecoder();
  const take = ({ type, payload }: ShimFrame) => {
    if (type === 'x') result.resolve(parseExit(payload));
    if (type === 'f') result.reject(failureError(object, payload.toString()));
  };
  control.on('data', chunk => decoder.push(chunk).forEach(take));
  // after an answer these change nothing
  control.on('close', () => result.reject(new StartError(`${object}: ended without a result`)));
  control.on('end', () => control.destroy());
  return result.promise;
}
