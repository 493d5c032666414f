/** Random histories of StatefulSets and Jobs. KEELSON_SEED=n tells one of them; KEELSON_HISTORIES=n runs so many. */
import { test } from 'vitest';
import { tryHistories } from '../helpers/simulation/history.js';
import { jobs } from '../helpers/simulation/jobs.js';
import { statefulSets } from '../helpers/simulation/stateful-sets.js';

const count = Number(process.env.KEELSON_HISTORIES ?? 3000);

test.each([statefulSets, jobs])(
  `${count} histories of $name come to rest as they should`,
  { timeout: 600_000 },
  scenario => tryHistories(scenario, count),
);
