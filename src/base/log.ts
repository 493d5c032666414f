/** One JSON line per event on standard error; pretty on a terminal is the reader's business (`| npx pino-pretty`). */
import { type Logger, pino } from 'pino';

export type { Logger };

const secretPaths = ['authorization', '*.authorization', 'token', '*.token', 'headers.authorization', 'headers.cookie'];

/** @param name the role: `controller`, `agent`, … Level from KEELSON_LOG (default `info`). */
export function createLogger(name: string): Logger {
  const level = process.env['KEELSON_LOG'] ?? 'info';
  return pino(
    { name, level, base: { name }, redact: secretPaths, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: true }),
  );
}
