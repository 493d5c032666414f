/** One query as bytes → its response: from the cluster's own names where they are ours, else from upstream. */
import type { Answer, Question } from 'dns-packet';
import { answerOf, startOfAuthority } from './answer.js';
import { encodeRefusal, encodeResponse, parseQuery, type Query, type Response, rcodes } from './message.js';
import type { ServiceNames } from './names.js';
import type { Upstream } from './upstream.js';

/** Responses to the same bytes, until a name changes. */
const maxRemembered = 4096;
/** An alias of an alias of …: who goes on longer goes in circles. */
const maxAliases = 8;

export class Resolver {
  readonly #remembered = new Map<string, Buffer>();

  constructor(
    readonly names: ServiceNames,
    readonly upstream: Pick<Upstream, 'ask'>,
    readonly domain: string,
  ) {}

  /** Call it when a name may have another answer. */
  changed(): void {
    this.#remembered.clear();
  }

  /** By UDP, as far as it can be told at once: most answers never wait. @returns a promise where others are asked */
  answer(bytes: Buffer, overTcp: boolean): Buffer | undefined | Promise<Buffer> {
    // all but the id
    const key = `${overTcp ? 't' : 'u'}${bytes.toString('latin1', 2)}`;
    const remembered = this.#remembered.get(key);
    if (remembered) return withId(remembered, bytes);
    const query = parseQuery(bytes);
    if (query === undefined) return undefined;
    if (typeof query === 'number') return encodeRefusal(bytes, query);
    const limit = overTcp ? 65_535 : query.udpSize;
    const response = this.#resolve(query.question);
    if (response instanceof Promise) return response.then(found => encodeSafely(query, found, limit));
    const encoded = encodeSafely(query, response, limit);
    // several addresses come in another order each time
    if (response.answers.length < 2) this.#remember(key, encoded);
    return encoded;
  }

  #remember(key: string, response: Buffer): void {
    if (this.#remembered.size >= maxRemembered) this.#remembered.clear();
    this.#remembered.set(key, response);
  }

  #resolve(question: Question): Response | Promise<Response> {
    if (question.class !== undefined && question.class !== 'IN') return refused;
    const found = answerOf(question, this.names, this.domain);
    switch (found.is) {
      case 'known':
        return this.#ours(shuffled(found.answers), found.additionals);
      case 'unknown':
        return { ...this.#ours([]), rcode: rcodes.nameError };
      case 'alias':
        return this.#follow(question, found.answers, found.target);
      case 'elsewhere':
        return this.upstream.ask(question);
    }
  }

  #ours(answers: readonly Answer[], additionals: readonly Answer[] = []): Response {
    const authorities = answers.length === 0 ? [startOfAuthority(this.domain)] : [];
    return { rcode: rcodes.noError, authoritative: true, answers, authorities, additionals };
  }

  async #follow(question: Question, aliases: readonly Answer[], target: string): Promise<Response> {
    if (aliases.length > maxAliases) return { ...this.#ours([]), rcode: rcodes.serverFailure };
    const next = { ...question, name: target };
    const found = answerOf(next, this.names, this.domain);
    if (found.is === 'alias') return this.#follow(question, [...aliases, ...found.answers], found.target);
    if (found.is === 'known') return this.#ours([...aliases, ...found.answers]);
    const { answers } = found.is === 'elsewhere' ? await this.upstream.ask(next) : { answers: [] };
    return this.#ours([...aliases, ...answers]);
  }
}

const refused: Response = { rcode: rcodes.refused, authoritative: false, answers: [] };

/** What upstream sends may be more than the codec can write. */
function encodeSafely(query: Query, response: Response, limit: number): Buffer {
  try {
    return encodeResponse(query, response, limit);
  } catch {
    return encodeResponse(query, { rcode: rcodes.serverFailure, authoritative: false, answers: [] }, limit);
  }
}

function withId(response: Buffer, query: Buffer): Buffer {
  const copy = Buffer.from(response);
  query.copy(copy, 0, 0, 2);
  return copy;
}

/** Clients take the first: each address is to be that in its turn. */
function shuffled(answers: readonly Answer[]): readonly Answer[] {
  if (answers.length < 2) return answers;
  const start = Math.floor(Math.random() * answers.length);
  return [...answers.slice(start), ...answers.slice(0, start)];
}
