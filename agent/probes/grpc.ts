/** One call of grpc.health.v1.Health/Check: its two messages have one field each, so they are written here by hand. */
import { type ClientHttp2Session, connect } from 'node:http2';
import { codeOf } from '../../src/base/errors.js';
import { address } from './port.js';
import type { ProbeResult } from './prober.js';

const serving = 1;
const statusNames = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
/** gRPC code of a method that is not there. */
const unimplemented = '12';

/** Length-prefixed HealthCheckRequest {1: service}; names are shorter than 128 bytes or take a longer varint. Pure. */
export function encodeRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const size = name.length < 128 ? [name.length] : [(name.length & 0x7f) | 0x80, name.length >> 7];
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, ...size]), name]);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  return Buffer.concat([frame, message]);
}

/** Status of a length-prefixed HealthCheckResponse {1: status}; 0 if it says nothing. Pure. */
export const decodeStatus = (body: Buffer): number => (body.length >= 7 && body[5] === 0x08 ? (body[6] ?? 0) : 0);

export async function grpcProbe(host: string, port: number, service: string, timeoutMs: number): Promise<ProbeResult> {
  const target = address(host, port);
  const session = connect(`http://${target}`);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<ProbeResult>(resolve => {
    timer = setTimeout(
      () => resolve(failed(`timeout: health rpc did not complete within ${timeoutMs / 1000}s`)),
      timeoutMs,
    );
  });
  // kubelet tries to connect until its time is over, and words every such failure so
  const within = `within ${timeoutMs / 1000}s: context deadline exceeded`;
  const unconnected = failed(`timeout: failed to connect service "${target}" ${within}`);
  const lost = new Promise<ProbeResult>(resolve => {
    session.on('error', () => resolve(unconnected));
  });
  try {
    return await Promise.race([check(session, service, unconnected), lost, late]);
  } finally {
    clearTimeout(timer);
    session.destroy();
  }
}

const failed = (output: string): ProbeResult => ({ result: 'failure', output });

function check(session: ClientHttp2Session, service: string, unconnected: ProbeResult): Promise<ProbeResult> {
  return new Promise(resolve => {
    const call = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'kube-probe/1.35',
    });
    const parts: Buffer[] = [];
    let code = '0';
    const note = (headers: Record<string, unknown>) => {
      code = String(headers['grpc-status'] ?? code);
    };
    call.on('response', note);
    call.on('trailers', note);
    call.on('data', (part: Buffer) => parts.push(part));
    call.on('error', error => {
      // with its session: that says why
      if (codeOf(error) === 'ERR_HTTP2_STREAM_CANCEL') return;
      // what answers does not speak HTTP/2
      if (codeOf(error) === 'ERR_HTTP2_ERROR') resolve(unconnected);
      else resolve(failed(`error: health rpc probe failed: ${error.message}`));
    });
    call.on('end', () => resolve(judge(code, decodeStatus(Buffer.concat(parts)))));
    call.end(encodeRequest(service));
  });
}

function judge(code: string, status: number): ProbeResult {
  if (code === unimplemented)
    return failed('error: this server does not implement the grpc health protocol (grpc.health.v1.Health)');
  if (code !== '0') return failed(`error: health rpc probe failed: status code ${code}`);
  if (status === serving) return { result: 'success', output: '' };
  return failed(`service unhealthy (responded with "${statusNames[status] ?? status}")`);
}
