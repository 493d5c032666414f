/** Routes → the text of nginx's configuration. Everything that users wrote is quoted; what cannot be is left out. Pure. */
import { createHash } from 'node:crypto';
import type { Backend, Host, Route, Routing } from './routes.js';

export interface NginxOptions {
  /** Where certificates, temporary files and the pid are. */
  readonly directory: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  /** Whether this machine has IPv6 at all. */
  readonly hasIpv6: boolean;
  /** Where names are looked up: the cluster's DNS. */
  readonly resolver: string;
}

/** A certificate for every name that has none of its own. */
export const defaultCertificate = 'default';

export const certificateFile = (directory: string, key: string): string =>
  `${directory}/certificates/${key === defaultCertificate ? key : createHash('sha256').update(key).digest('hex').slice(0, 24)}`;

export function nginxConfig({ hosts }: Pick<Routing, 'hosts'>, options: NginxOptions): string {
  const { directory, resolver } = options;
  const anyHost = hosts.find(({ name }) => name === undefined);
  const others = hosts.filter(({ name }) => name !== undefined);
  return [
    'worker_processes 2;',
    `pid ${directory}/nginx.pid;`,
    'error_log stderr warn;',
    'events { worker_connections 4096; }',
    'http {',
    'access_log off;',
    'server_tokens off;',
    'server_names_hash_bucket_size 128;',
    'variables_hash_max_size 4096;',
    // as long as the client sends: limits are the backend's business
    'client_max_body_size 0;',
    'proxy_http_version 1.1;',
    'proxy_request_buffering off;',
    'proxy_buffering off;',
    'proxy_read_timeout 1d;',
    'proxy_send_timeout 1d;',
    'proxy_connect_timeout 5s;',
    ...['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(kind => `${kind}_temp_path ${directory}/temporary;`),
    `resolver ${resolver} valid=5s${options.hasIpv6 ? '' : ' ipv6=off'};`,
    'map $http_upgrade $connection_upgrade { default upgrade; "" ""; }',
    'proxy_set_header Host $http_host;',
    'proxy_set_header X-Real-IP $remote_addr;',
    'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
    'proxy_set_header X-Forwarded-Host $http_host;',
    'proxy_set_header X-Forwarded-Proto $scheme;',
    'proxy_set_header Upgrade $http_upgrade;',
    'proxy_set_header Connection $connection_upgrade;',
    server(anyHost ?? { name: undefined, routes: [], certificate: undefined, redirects: false }, options),
    ...others.map(host => server(host, options)),
    '}',
    '',
  ].join('\n');
}

function server(host: Host, options: NginxOptions): string {
  const flag = host.name === undefined ? ' default_server' : '';
  const file = certificateFile(options.directory, host.certificate ?? defaultCertificate);
  const common = [`server_name ${serverName(host.name)};`, ...locations(host.routes)];
  const secure = [
    ...listen(options, options.httpsPort, ` ssl http2${flag}`),
    `ssl_certificate ${file}.crt;`,
    `ssl_certificate_key ${file}.key;`,
  ];
  const plain = listen(options, options.httpPort, flag);
  if (!host.redirects) return block([...plain, ...secure, ...common]);
  const port = options.httpsPort === 443 ? '' : `:${options.httpsPort}`;
  const redirect = [...plain, `server_name ${serverName(host.name)};`, `return 308 https://$host${port}$request_uri;`];
  return `${block(redirect)}\n${block([...secure, ...common])}`;
}

const listen = ({ hasIpv6 }: NginxOptions, port: number, flags: string): string[] => [
  `listen ${port}${flags};`,
  ...(hasIpv6 ? [`listen [::]:${port}${flags};`] : []),
];

const block = (lines: readonly string[]): string => ['server {', ...lines, '}'].join('\n');

/** A star stands for one label, as in certificates; nginx's own would stand for many. */
function serverName(name: string | undefined): string {
  if (name === undefined) return '_';
  if (!name.startsWith('*.')) return quoted(name);
  return quoted(`~^[^.]+\\.${name.slice(2).replaceAll('.', '\\.')}$`);
}

function locations(routes: readonly Route[]): string[] {
  const exact = new Set(routes.flatMap(route => (route.exact ? route.path : [])));
  const written = routes.filter(({ path }) => isWritable(path)).flatMap(route => locationsOf(route, exact));
  const hasRoot = routes.some(({ path, exact }) => path === '/' && !exact);
  return hasRoot ? written : [...written, 'location / { return 404 "default backend - 404\\n"; }'];
}

/** A prefix is one of whole elements: `/a` is `/a` and `/a/…`, and not `/ab`. */
function locationsOf({ path, exact, backend }: Route, exactPaths: ReadonlySet<string>): string[] {
  const body = backend ? passTo(backend) : 'return 503;';
  const itself = `location = ${quoted(path)} { ${body} }`;
  if (exact) return [itself];
  if (path === '/') return [`location / { ${body} }`];
  const below = `location ^~ ${quoted(`${path}/`)} { ${body} }`;
  return exactPaths.has(path) ? [below] : [itself, below];
}

function passTo({ host, isName, port }: Backend): string {
  if (!isName) return `proxy_pass http://${host}:${port};`;
  // in a variable it is looked up with every request, and not once at the start
  return `set $backend ${quoted(host)}; proxy_pass http://$backend:${port};`;
}

/** Control characters end a line or a file name; an API that lets them through must not make us write them. */
const isWritable = (text: string): boolean => !/[\u0000-\u001f\u007f]/.test(text);

const quoted = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
