/** From a parsed, authorised request to its answer. The way of a request: route → authenticate → authorise → here. */
import { discover } from './discovery.js';
import { methodNotAllowed, pathNotFound, tooMany } from './errors.js';
import { openApiIndex } from './openapi.js';
import type { ApiContext, ApiRequest } from './request.js';
import { handleResource } from './resource.js';
import { sendJson, sendText } from './respond.js';

/** Requests under way; watches and logs do not count, they wait most of the time. */
const limits = { reading: 400, changing: 200 } as const;

export class Handler {
  readonly #context: ApiContext;
  readonly #inFlight = { reading: 0, changing: 0 };

  constructor(context: ApiContext) {
    this.#context = context;
  }

  /** Throws StatusError. */
  async handle(call: ApiRequest): Promise<void> {
    const group = ['get', 'list', 'watch'].includes(call.verb) ? 'reading' : 'changing';
    if (this.#inFlight[group] >= limits[group])
      throw tooMany('too many requests are under way, please try again later');
    this.#inFlight[group]++;
    try {
      await this.#dispatch(call);
    } finally {
      this.#inFlight[group]--;
    }
  }

  async #dispatch(call: ApiRequest): Promise<void> {
    const { route } = call;
    if (route.to === 'resource') return handleResource(this.#context, call, route);
    if (call.verb !== 'get') throw route.to === 'other' ? pathNotFound() : methodNotAllowed();
    switch (route.to) {
      case 'discovery': {
        const { request, response } = call;
        const answer = discover(
          this.#context.engine.kinds.all,
          route.path,
          request.headers.accept,
          request.headers.host ?? '',
        );
        return sendJson(response, 200, answer.body, { 'content-type': answer.contentType, vary: 'Accept' });
      }
      case 'openapi':
        return this.#openApi(call, route.path);
      case 'version':
        return sendJson(call.response, 200, this.#versionBody());
      case 'health':
        return this.#health(call, route.check);
      default:
        throw pathNotFound();
    }
  }

  #health(call: ApiRequest, check: string): void {
    if (check === 'readyz' && !this.#context.isReady()) {
      sendText(call.response, 503, 'not ready');
      return;
    }
    sendText(call.response, 200, 'ok');
  }

  #versionBody(): object {
    const { version } = this.#context;
    return {
      ...version,
      gitCommit: '',
      gitTreeState: 'clean',
      buildDate: '2026-01-01T00:00:00Z',
      goVersion: 'go1.25',
      compiler: 'gc',
      platform: 'linux/amd64',
    };
  }

  #openApi({ response }: ApiRequest, path: readonly string[]): void {
    const [version, ...rest] = path;
    // an empty document of the right type makes clients before 1.29 skip their own validation
    if (version === 'v2' && rest.length === 0) {
      response.writeHead(200, {
        'content-type': 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
        'content-length': 0,
      });
      response.end();
      return;
    }
    if (version !== 'v3') throw pathNotFound();
    if (rest.length === 0) {
      sendJson(response, 200, openApiIndex(this.#context.openApi.documents));
      return;
    }
    const document = this.#context.openApi.documents.get(rest.join('/'));
    if (!document) throw pathNotFound();
    const forever = {
      'cache-control': 'public, immutable',
      expires: 'Fri, 31 Dec 2100 00:00:00 GMT',
      etag: `"${document.hash}"`,
    };
    sendJson(response, 200, document.body, forever);
  }
}
