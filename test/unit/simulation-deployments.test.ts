/** Ten thousand random histories of Deployments. KEELSON_SEED=n tells one of them; KEELSON_HISTORIES=n runs so many. */
import { test } from 'vitest';
import { deployments } from '../helpers/simulation/deployments.js';
import { tryHistories } from '../helpers/simulation/history.js';

const count = Number(process.env.KEELSON_HISTORIES ?? 10_000);

test(`${count} histories of Deployments keep their bounds and come to rest`, { timeout: 600_000 }, () => {
  tryHistories(deployments, count);
});
