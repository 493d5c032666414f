/** The SPDY codec: what real clients send, split anywhere; and everything that none of them would. */
import { Duplex, PassThrough } from 'node:stream';
import { constants, createDeflate, createInflate } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { maxStreams, SpdyConnection, type SpdyStream } from '../../src/api/spdy/connection.js';
import { headerDictionary } from '../../src/api/spdy/dictionary.js';
import {
  encodeData,
  encodeGoAway,
  encodePing,
  encodeReset,
  encodeSynReply,
  encodeSynStream,
  maxControlBytes,
  SpdyDecoder,
  SpdyError,
  type SpdyFrame,
} from '../../src/api/spdy/frames.js';
import { HeaderReader, HeaderWriter, parseHeaders } from '../../src/api/spdy/headers.js';

/** A client's header compressor: zlib with the dictionary, as kubectl's. */
function compressor(): (headers: Record<string, string>) => Promise<Buffer> {
  const deflate = createDeflate({ dictionary: headerDictionary });
  let parts: Buffer[] = [];
  deflate.on('data', part => parts.push(part));
  return headers =>
    new Promise(resolve => {
      parts = [];
      deflate.write(listOf(headers));
      deflate.flush(constants.Z_SYNC_FLUSH, () => resolve(Buffer.concat(parts)));
    });
}

function listOf(headers: Record<string, string>): Buffer {
  const number = (n: number) => Buffer.from([n >>> 24, n >>> 16, n >>> 8, n].map(byte => byte & 255));
  const text = (value: string) => Buffer.concat([number(Buffer.byteLength(value)), Buffer.from(value)]);
  const entries = Object.entries(headers);
  return Buffer.concat([number(entries.length), ...entries.flatMap(([name, value]) => [text(name), text(value)])]);
}

const decode = (bytes: Buffer, decoder = new SpdyDecoder()): SpdyFrame[] => [...decoder.push(bytes)];

/** A connection and the client's end of its bytes. */
function connected(onStream: (stream: SpdyStream) => void = () => {}) {
  const toServer = new PassThrough();
  const toClient = new PassThrough();
  const server = Duplex.from({ readable: toServer, writable: toClient });
  const closed = new Promise<Error | undefined>(resolve => {
    new SpdyConnection(server, Buffer.alloc(0), { onStream, onClose: resolve });
  });
  return { toServer, toClient, closed };
}

describe('dictionary', () => {
  test('is that of SPDY/3: 1423 bytes with its checksum', () => {
    let a = 1;
    let b = 0;
    for (const byte of headerDictionary) {
      a = (a + byte) % 65521;
      b = (b + a) % 65521;
    }
    expect(headerDictionary.length).toBe(1423);
    expect((b * 65536 + a).toString(16)).toBe('e3c6a7c2');
  });
});

describe('frames', () => {
  test('come out as they went in, wherever the bytes are split', () => {
    const frame = fc.oneof(
      fc
        .record({
          id: fc.integer({ min: 1, max: 0x7fffffff }),
          data: fc.uint8Array({ maxLength: 300 }),
          fin: fc.boolean(),
        })
        .map(({ id, data, fin }) => encodeData(id, data, fin)),
      fc.integer({ min: 0, max: 0xffffffff }).map(encodePing),
      fc
        .tuple(fc.integer({ min: 1, max: 0x7fffffff }), fc.integer({ min: 1, max: 11 }))
        .map(([id, code]) => encodeReset(id, code)),
      fc.uint8Array({ maxLength: 200 }).map(block => encodeSynStream(7, block, true)),
      fc.constant(encodeGoAway(3)),
    );
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 12 }), fc.integer({ min: 1, max: 97 }), (frames, step) => {
        const bytes = Buffer.concat(frames);
        const decoder = new SpdyDecoder();
        const found: SpdyFrame[] = [];
        for (let at = 0; at < bytes.length; at += step) found.push(...decoder.push(bytes.subarray(at, at + step)));
        expect(found).toEqual(frames.flatMap(one => decode(one)));
        expect(found).toHaveLength(frames.length);
      }),
    );
  });

  test('bytes at random give frames or a SpdyError, nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), bytes => {
        try {
          decode(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(SpdyError);
        }
      }),
    );
  });

  test('too large a frame is refused by its header, before its body is kept', () => {
    const header = Buffer.of(0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff);
    expect(() => decode(header)).toThrow(`at most ${maxControlBytes} are allowed`);
    expect(() => decode(Buffer.of(0, 0, 0, 1, 0, 0xff, 0xff, 0xff))).toThrow('at most 1048576 are allowed');
  });

  test('another version is refused', () => {
    expect(() => decode(Buffer.of(0x80, 2, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1))).toThrow('version 2');
  });
});

describe('headers', () => {
  test('blocks of one compressed stream are read in order', async () => {
    const compress = compressor();
    const reader = new HeaderReader();
    for (const headers of [
      { streamtype: 'error', port: '80', requestid: '0' },
      { streamtype: 'data', port: '80', requestid: '0' },
      { StreamType: 'stdin' },
    ]) {
      const found = await reader.read(await compress(headers));
      expect([...found.values()]).toEqual(Object.values(headers));
    }
    reader.close();
  });

  test('our blocks are read by any zlib, with or without the dictionary at hand', async () => {
    const writer = new HeaderWriter();
    const inflate = createInflate({ dictionary: headerDictionary });
    const parts: Buffer[] = [];
    inflate.on('data', part => parts.push(part));
    for (const block of [writer.write(), writer.write([['a', 'b']])])
      await new Promise<void>(resolve => {
        inflate.write(block);
        inflate.flush(constants.Z_SYNC_FLUSH, () => resolve());
      });
    expect(Buffer.concat(parts)).toEqual(Buffer.concat([listOf({}), listOf({ a: 'b' })]));
  });

  test('a block that inflates without end is stopped', async () => {
    const deflate = createDeflate({ dictionary: headerDictionary });
    const parts: Buffer[] = [];
    deflate.on('data', part => parts.push(part));
    await new Promise<void>(resolve => {
      deflate.write(Buffer.alloc(10 * 1024 * 1024));
      deflate.flush(constants.Z_SYNC_FLUSH, () => resolve());
    });
    await expect(new HeaderReader().read(Buffer.concat(parts))).rejects.toThrow('more than 65536 bytes');
  });

  test('anything else is a SpdyError', async () => {
    await expect(new HeaderReader().read(Buffer.from('not zlib at all'))).rejects.toBeInstanceOf(SpdyError);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async bytes => {
        expect(() => {
          try {
            parseHeaders(Buffer.from(bytes));
          } catch (error) {
            if (!(error instanceof SpdyError)) throw error;
          }
        }).not.toThrow();
      }),
    );
  });
});

describe('connection', () => {
  test('answers a stream, hands over its data and its end in order, and sends back', async () => {
    const heard: string[] = [];
    let done: () => void = () => {};
    const ended = new Promise<void>(resolve => (done = resolve));
    const { toServer, toClient } = connected(stream =>
      stream.listen({
        onData: async data => {
          await new Promise(resolve => setImmediate(resolve));
          heard.push(String(data));
        },
        onEnd: () => {
          heard.push(`end of ${stream.headers.get('streamtype')}`);
          void stream.write(Buffer.from('answer')).then(() => stream.end());
          done();
        },
        onReset: () => heard.push('reset'),
      }),
    );
    const compress = compressor();
    toServer.write(encodeSynStream(1, await compress({ streamtype: 'data' })));
    toServer.write(Buffer.concat([encodeData(1, Buffer.from('a'), false), encodeData(1, Buffer.from('b'), true)]));
    await ended;
    expect(heard).toEqual(['a', 'b', 'end of data']);
    const frames: SpdyFrame[] = [];
    const decoder = new SpdyDecoder();
    for await (const chunk of toClient) {
      frames.push(...decoder.push(chunk as Buffer));
      if (frames.some(frame => frame.type === 'data' && frame.fin)) break;
    }
    expect(frames.map(frame => frame.type)).toEqual(['synReply', 'data', 'data']);
    expect(decode(encodeSynReply(1, Buffer.alloc(0)))).toMatchObject([{ type: 'synReply', stream: 1 }]);
    toServer.end();
  });

  test('echoes pings of the client', async () => {
    const { toServer, toClient } = connected();
    toServer.write(encodePing(5));
    const [chunk] = (await Promise.race([new Promise(resolve => toClient.once('data', data => resolve([data])))])) as [
      Buffer,
    ];
    expect(decode(chunk)).toEqual([{ type: 'ping', id: 5 }]);
    toServer.end();
  });

  test('a stream over the limit is refused, and the others go on', async () => {
    let opened = 0;
    const { toServer, toClient } = connected(stream => {
      opened++;
      stream.listen({ onData: () => {}, onEnd: () => {}, onReset: () => {} });
    });
    const compress = compressor();
    for (let i = 0; i <= maxStreams; i++)
      toServer.write(encodeSynStream(2 * i + 1, await compress({ streamtype: 'data' })));
    const decoder = new SpdyDecoder();
    let refused: SpdyFrame | undefined;
    for await (const chunk of toClient) {
      refused = [...decoder.push(chunk as Buffer)].find(frame => frame.type === 'reset');
      if (refused) break;
    }
    expect(refused).toEqual({ type: 'reset', stream: 2 * maxStreams + 1, code: 3 });
    expect(opened).toBe(maxStreams);
    toServer.end();
  });

  test.each([
    ['an even number', async () => encodeSynStream(2, await compressor()({}))],
    ['data on a stream that was never opened', async () => encodeData(9, Buffer.from('x'), false)],
    ['headers that are no zlib', async () => encodeSynStream(1, Buffer.from('garbage, garbage'))],
  ])('%s ends the connection with the reason', async (_what, bytes) => {
    const { toServer, toClient, closed } = connected();
    toClient.resume();
    toServer.write(await bytes());
    expect(await closed).toBeInstanceOf(SpdyError);
  });

  test('bytes at random never throw out of it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 6 }), async chunks => {
        const { toServer, toClient, closed } = connected(stream =>
          stream.listen({ onData: () => {}, onEnd: () => {}, onReset: () => {} }),
        );
        toClient.resume();
        for (const chunk of chunks) toServer.write(chunk);
        toServer.end();
        await closed;
      }),
      { numRuns: 60 },
    );
  });
});
