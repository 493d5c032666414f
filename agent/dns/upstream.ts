/**
 * What others know: questions for the servers of the node's own resolv.conf. Each by UDP from a socket of its own (so from a
 * random port) with a random id, by TCP where the answer was cut; answers are kept as long as they say, at most half a minute.
 */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { type Answer, decode, encode, type Packet, type Question, RECURSION_DESIRED } from 'dns-packet';
import { parseResolvConf } from '../pods/etc-files.js';
import { type Rcode, type Response, rcodes } from './message.js';

export interface Server {
  readonly address: string;
  readonly port: number;
}

const dnsPort = 53;

/** The servers that a node's resolv.conf names. @param own address that would ask itself */
export const upstreamServers = (resolvConf: string, own: string): Server[] =>
  parseResolvConf(resolvConf)
    .nameservers.filter(address => address !== own)
    .map(address => ({ address, port: dnsPort }));

const timeoutMs = 2000;
const rounds = 2;
/** Seconds, as CoreDNS is set up by default: the network outside changes too. */
const longestTtl = 30;
const maxEntries = 10_000;
const maxMessage = 65_535;

interface Kept {
  readonly response: Response;
  readonly at: number;
  readonly untilMs: number;
}

export class Upstream {
  readonly #kept = new Map<string, Kept>();
  readonly #underWay = new Map<string, Promise<Response>>();

  /** @param now milliseconds */
  constructor(
    readonly servers: readonly Server[],
    readonly now: () => number = Date.now,
  ) {}

  /** Never throws: who cannot be asked is a failure of theirs. */
  async ask(question: Question): Promise<Response> {
    const key = `${question.type} ${question.class ?? 'IN'} ${question.name.toLowerCase()}`;
    const kept = this.#kept.get(key);
    if (kept && kept.untilMs > this.now()) return aged(kept, this.now());
    const underWay = this.#underWay.get(key) ?? this.#fetch(key, question);
    this.#underWay.set(key, underWay);
    return underWay;
  }

  async #fetch(key: string, question: Question): Promise<Response> {
    try {
      const response = await this.#askAll(question);
      this.#keep(key, response);
      return response;
    } catch {
      return { rcode: rcodes.serverFailure, authoritative: false, answers: [] };
    } finally {
      this.#underWay.delete(key);
    }
  }

  async #askAll(question: Question): Promise<Response> {
    for (let round = 0; round < rounds; round++)
      for (const server of this.servers) {
        const found = await askServer(server, question).catch(() => undefined);
        if (found && found.rcode !== rcodes.serverFailure) return found;
      }
    throw new Error(`no server answers: ${this.servers.map(s => s.address).join(', ') || 'there is none'}`);
  }

  #keep(key: string, response: Response): void {
    const seconds = secondsToKeep(response);
    if (seconds <= 0) return;
    this.#kept.delete(key);
    // the oldest go first
    for (const old of this.#kept.keys()) {
      if (this.#kept.size < maxEntries) break;
      this.#kept.delete(old);
    }
    this.#kept.set(key, { response, at: this.now(), untilMs: this.now() + seconds * 1000 });
  }
}

const ttlOf = (record: Answer): number => ('ttl' in record ? (record.ttl ?? 0) : 0);

/** The shortest life among its records; that of a negative answer is in its SOA (RFC 2308). Pure. */
export function secondsToKeep({ rcode, answers, authorities = [] }: Response): number {
  if (rcode !== rcodes.noError && rcode !== rcodes.nameError) return 0;
  if (answers.length > 0) return Math.min(longestTtl, ...answers.map(ttlOf));
  const soa = authorities.find(record => record.type === 'SOA');
  return soa?.type === 'SOA' ? Math.min(longestTtl, ttlOf(soa), soa.data.minimum ?? longestTtl) : 0;
}

function aged({ response, at }: Kept, now: number): Response {
  const age = Math.floor((now - at) / 1000);
  const older = (record: Answer): Answer =>
    'ttl' in record ? ({ ...record, ttl: Math.max(0, ttlOf(record) - age) } as Answer) : record;
  return { ...response, answers: response.answers.map(older), authorities: (response.authorities ?? []).map(older) };
}

async function askServer(server: Server, question: Question): Promise<Response> {
  const id = randomInt(0x10000);
  const query = encode({ type: 'query', id, flags: RECURSION_DESIRED, questions: [question] });
  const fits = (packet: Packet): boolean =>
    packet.id === id && packet.questions?.[0]?.name.toLowerCase() === question.name.toLowerCase();
  const bytes = await askByUdp(server, query, reply => fits(decode(reply)));
  const packet = decode(bytes);
  if (!packet.flag_tc) return responseOf(bytes, packet);
  const whole = await askByTcp(server, query);
  const long = decode(whole);
  if (!fits(long)) throw new Error(`${server.address} answers another question`);
  return responseOf(whole, long);
}

const responseOf = (bytes: Buffer, { answers = [], authorities = [] }: Packet): Response => ({
  rcode: (bytes.readUInt16BE(2) & 0xf) as Rcode,
  authoritative: false,
  answers,
  authorities,
});

function askByUdp({ address, port }: Server, query: Buffer, isOurs: (reply: Buffer) => boolean): Promise<Buffer> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  return new Promise<Buffer>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${address} does not answer`)), timeoutMs);
    socket.once('close', () => clearTimeout(timer));
    socket.on('error', reject);
    socket.on('message', reply => {
      // somebody's guess does not end the wait for the answer
      if (attempt(() => isOurs(reply))) resolve(reply);
    });
    // connected: the kernel takes answers from this server only
    socket.connect(port, address, () => socket.send(query, error => error && reject(error)));
  }).finally(() => socket.close());
}

function attempt(look: () => boolean): boolean {
  try {
    return look();
  } catch {
    return false;
  }
}

function askByTcp({ address, port }: Server, query: Buffer): Promise<Buffer> {
  const socket = connect({ host: address, port, timeout: timeoutMs });
  return new Promise<Buffer>((resolve, reject) => {
    let got = Buffer.alloc(0);
    socket.on('timeout', () => reject(new Error(`${address} does not answer by TCP`)));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`${address} hung up`)));
    socket.on('data', part => {
      got = Buffer.concat([got, part]);
      const length = got.length >= 2 ? got.readUInt16BE(0) : maxMessage;
      if (got.length >= 2 + length) resolve(got.subarray(2, 2 + length));
    });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(query.length);
    socket.write(Buffer.concat([length, query]));
  }).finally(() => socket.destroy());
}
