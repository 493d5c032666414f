/** Serves the built page, and decides whose WebSocket it is (reliability rule B13: Origin, Host, CSP). */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { extname, join } from 'node:path';
import type { HttpHook } from '../api/server.js';
import { packageRoot } from './isolation.js';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const headers = {
  'content-security-policy':
    "default-src 'self'; connect-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
} as const;

/** Everything is read once: a request can only name a file that is in the list. */
export function dashboardFiles(folder = join(packageRoot, 'dist/page')): HttpHook {
  const files = new Map<string, Buffer>();
  if (existsSync(folder)) {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath ?? entry.path, entry.name);
      if (entry.isFile()) files.set(`/dashboard/${path.slice(folder.length + 1)}`, readFileSync(path));
    }
  }
  return (request, response, { path }) => {
    const name = path === '/dashboard/' ? '/dashboard/index.html' : path;
    const body = files.get(name);
    if (request.method !== 'GET' && request.method !== 'HEAD') return void response.writeHead(405, headers).end();
    if (!body)
      return void response.writeHead(404, headers).end('the page has no such file; was it built? npm run build\n');
    const cache = name.includes('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache';
    response.writeHead(200, {
      ...headers,
      'content-type': types[extname(name)] ?? 'application/octet-stream',
      'cache-control': cache,
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  };
}

/** A browser's page must come from this server under a name that is its own (against cross-site pages and DNS rebinding). */
export function isOwnOrigin({ origin, host }: IncomingHttpHeaders, port: number): boolean {
  const own = ['127.0.0.1', 'localhost', '[::1]'].map(name => `${name}:${port}`);
  return host !== undefined && own.includes(host) && origin === `https://${host}`;
}
