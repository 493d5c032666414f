/** When a role has to stop: SIGTERM, SIGINT, or the end of its supervisor. */

/** Set by `keelson up` for its children: they stop when their standard input ends, so that none outlives it. */
export const supervisedVariable = 'KEELSON_SUPERVISED';

export function untilStopped(): Promise<void> {
  return new Promise(resolve => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
    if (process.env[supervisedVariable] === '1') {
      process.stdin.once('end', () => resolve());
      process.stdin.once('error', () => resolve());
      process.stdin.resume();
    }
  });
}
