/**
 * An API server of its own on loopback, until SIGTERM: `node dist/bench/api.js` prints `url=… token=…`. For load programs;
 * the store is a fresh one on the disk of the temporary folder.
 */
import { startApiServer } from '../test/helpers/api-server.js';

const server = await startApiServer({ port: Number(process.argv[2] ?? 0) });
process.stdout.write(`url=${server.url} token=${server.pki.adminToken}\n`);
process.once('SIGTERM', () => void server.close());
process.once('SIGINT', () => void server.close());
