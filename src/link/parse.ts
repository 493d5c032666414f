/** Text from the other side → a frame, or a reason to close the connection: frames come from attackers. Pure. */
import type { DownFrame, UpFrame } from './frames.js';

/** A frame of the wrong shape: the connection that sent it is closed with this reason, no other is harmed. */
export class FrameError extends Error {
  override name = 'FrameError';
}

type Check = 'string' | 'number' | 'object' | 'boolean' | 'array';
type Shape = Readonly<Record<string, Check | `${Check}?`>>;

const streamControls = {
  credit: { stream: 'number', channel: 'number', bytes: 'number' },
  end: { stream: 'number', channel: 'number' },
  close: { stream: 'number', status: 'object?' },
} as const satisfies Record<string, Shape>;

const upShapes: Readonly<Record<UpFrame['t'], Shape>> = {
  hello: { protocol: 'number', version: 'string', bootID: 'string', incarnation: 'string?', revision: 'number?' },
  node: { id: 'number', node: 'object' },
  heartbeat: { id: 'number' },
  podStatus: { id: 'number', namespace: 'string', name: 'string', uid: 'string', status: 'object' },
  podGone: { id: 'number', namespace: 'string', name: 'string', uid: 'string', status: 'object?' },
  mirror: { id: 'number', pod: 'object' },
  event: { id: 'number', event: 'object' },
  tokenRequest: {
    request: 'number',
    namespace: 'string',
    name: 'string',
    uid: 'string',
    audience: 'string?',
    seconds: 'number',
  },
  stats: { stats: 'object' },
  ...streamControls,
};

const downShapes: Readonly<Record<DownFrame['t'], Shape>> = {
  welcome: { protocol: 'number', node: 'string', incarnation: 'string', pingMs: 'number' },
  sync: { revision: 'number', objects: 'array', keep: 'array', last: 'boolean' },
  changes: { revision: 'number', changes: 'array' },
  ack: { id: 'number', revision: 'number?', error: 'object?' },
  token: { request: 'number', token: 'string?', error: 'object?' },
  open: { stream: 'number', request: 'object' },
  ...streamControls,
};

export const parseUpFrame = (text: string): UpFrame => parse<UpFrame>(text, upShapes);
export const parseDownFrame = (text: string): DownFrame => parse<DownFrame>(text, downShapes);

function parse<F extends { t: string }>(text: string, shapes: Readonly<Record<string, Shape>>): F {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new FrameError('control frame is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new FrameError('control frame is not an object');
  const frame = value as Record<string, unknown>;
  const shape = typeof frame['t'] === 'string' && Object.hasOwn(shapes, frame['t']) ? shapes[frame['t']] : undefined;
  if (!shape) throw new FrameError(`control frame of unknown type ${JSON.stringify(frame['t'])?.slice(0, 40)}`);
  for (const [field, check] of Object.entries(shape)) {
    if (!fits(frame[field], check))
      throw new FrameError(`${String(frame['t'])} frame: ${field} must be ${check.replace('?', ' or absent')}`);
  }
  return value as F;
}

function fits(value: unknown, check: string): boolean {
  if (check.endsWith('?')) return value === undefined || fits(value, check.slice(0, -1));
  if (check === 'array') return Array.isArray(value);
  if (check === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  if (check === 'number') return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
  return typeof value === check;
}
