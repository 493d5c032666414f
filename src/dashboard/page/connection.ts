/** The feed's WebSocket in the browser: logs in, hands messages on, comes back when it is lost. */
import { closeCodes, type FeedMessage } from '../rows.js';

export interface ConnectionEvents {
  onMessage(message: FeedMessage): void;
  onLost(reason: string): void;
  /** The token was refused: do not try again with it. */
  onRefused(reason: string): void;
}

/** Returns a function that closes it for good. */
export function connect(token: string, events: ConnectionEvents): () => void {
  let closed = false;
  let socket: WebSocket | undefined;
  let timer = 0;
  let attempts = 0;
  const dial = () => {
    socket = new WebSocket(`wss://${location.host}/dashboard/ws`);
    socket.onopen = () => socket?.send(JSON.stringify({ token }));
    socket.onmessage = event => {
      attempts = 0;
      events.onMessage(JSON.parse(String(event.data)) as FeedMessage);
    };
    socket.onclose = ({ code, reason }) => {
      if (closed) return;
      if (code === closeCodes.unauthorized) return events.onRefused(reason);
      events.onLost(reason || 'the controller does not answer');
      timer = window.setTimeout(dial, Math.min(10_000, 300 * 2 ** attempts++));
    };
  };
  dial();
  return () => {
    closed = true;
    window.clearTimeout(timer);
    socket?.close();
  };
}
