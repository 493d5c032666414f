/** Small networks of namespaces around the one that a test runs in: pods on a bridge, neighbours outside, servers in them. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';

/** Seconds: a virtual machine without hardware help takes several times as long to start a program. */
const patience = process.env.KEELSON_LAB ? 4 : 1;

export interface Space {
  readonly pid: number;
  /** What a command prints; rejects if it fails. */
  run(...command: string[]): Promise<string>;
  /** Answers each line or datagram on a port with its name and who asked: `a 10.244.1.3`. */
  serve(name: string, port: number): Promise<void>;
  close(): void;
}

export const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' });

const serverProgram = `
const [name, port] = process.argv.slice(1);
const answer = ip => name + ' ' + ip.replace('::ffff:', '') + '\\n';
const tcp = require('node:net').createServer(s => { s.write(answer(s.remoteAddress)); s.on('data', d => s.write(d)); s.on('error', () => {}); });
const udp = require('node:dgram').createSocket('udp6');
udp.on('message', (_, from) => udp.send(answer(from.address), from.port, from.address));
tcp.listen(+port, () => udp.bind(+port, () => console.log('ready')));
`;

/** As `Space.serve`, in the network of a process. */
export async function serveIn(pid: number, name: string, port: number): Promise<ChildProcess> {
  const words = ['-t', String(pid), '-n', process.execPath, '-e', serverProgram, name, String(port)];
  const server = spawn('nsenter', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(server.stdout, 'data');
  return server;
}

/** A network namespace of its own with loopback up. */
export async function openSpace(): Promise<Space> {
  const holder = spawn('unshare', ['-n', 'sh', '-c', 'ip link set lo up && echo ready && exec sleep infinity'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  const pid = holder.pid as number;
  const children: ChildProcess[] = [holder];
  const enter = ['-t', String(pid), '-n'];
  return {
    pid,
    run: async (...command) =>
      (await promisify(execFile)('nsenter', [...enter, ...command], { timeout: 15_000 * patience })).stdout,
    serve: async (name, port) => {
      children.push(await serveIn(pid, name, port));
    },
    close: () => {
      for (const child of children) child.kill('SIGKILL');
    },
  };
}

/** A link from here to a space, under these names. */
export async function connect(space: Space, host: string, inside: string, addresses: readonly string[]): Promise<void> {
  ip('link', 'add', host, 'type', 'veth', 'peer', 'name', inside, 'netns', String(space.pid));
  ip('link', 'set', host, 'up');
  await space.run('ip', 'link', 'set', inside, 'up');
  for (const address of addresses)
    await space.run('ip', 'address', 'add', address, 'dev', inside, ...(address.includes(':') ? ['nodad'] : []));
}

/** What the server at an address says first; `refused`, `reset`, or `silent` if there is nothing within `patience`. */
export function ask(from: Space | undefined, address: string, port: number, protocol = 'tcp'): Promise<string> {
  // a UDP server speaks when spoken to; one port unreachable is seen by the next read
  const say = protocol === 'udp' ? 'echo >&3; ' : '';
  const script = `exec 3<>/dev/${protocol}/${address}/${port} || exit 7; ${say}timeout ${patience} dd bs=2000 count=1 status=none <&3`;
  const command = from
    ? ['nsenter', '-t', String(from.pid), '-n', 'timeout', `${2 * patience}`, 'bash', '-c', script]
    : ['timeout', `${2 * patience}`, 'bash', '-c', script];
  return new Promise(resolve => {
    execFile(command[0] as string, command.slice(1), (error, stdout, stderr) => {
      if (!error) resolve(stdout.trim());
      else if (/refused|unreachable/i.test(stderr)) resolve('refused');
      else resolve('silent');
    });
  });
}
