/**
 * Removes an attempt's directory. What lies in its writable layer was made by a container: nothing is followed, no mount is
 * crossed, and it may be deeper than a path can be long (native/addon/remove_tree.cc).
 */
import { removeTrees } from '../../native/index.js';
import { readAttempt } from './attempt.js';

/** An attempt's directory, and its shim's socket, which a shim that was killed has left. Missing is success. */
export async function removeAttemptTree(directory: string): Promise<void> {
  const record = await readAttempt(directory);
  await removeTrees([...(record ? [record.socketPath] : []), directory]);
}
