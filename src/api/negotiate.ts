/** Accept headers: which form of an answer the client wants. Pure. */

export interface MediaRange {
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** In the client's order, those with `q=0` left out. */
export function parseAccept(header: string | undefined): MediaRange[] {
  if (!header?.trim()) return [{ type: '*/*', parameters: {} }];
  return header
    .split(',')
    .map(parseRange)
    .filter(range => range.type !== '' && Number(range.parameters.q ?? 1) > 0);
}

function parseRange(text: string): MediaRange {
  const [type = '', ...rest] = text.split(';').map(part => part.trim());
  const parameters = Object.fromEntries(
    rest.map(part => part.split('=', 2).map(side => side.trim()) as [string, string]),
  );
  return { type: type.toLowerCase(), parameters };
}

type Form = 'object' | 'table' | 'partial';

export interface Wanted {
  readonly form: Form;
  /** Of the Table or PartialObjectMetadata: v1 or v1beta1. */
  readonly version: string;
}

const json = new Set(['application/json', '*/*', 'application/*']);

/** Undefined: nothing that we can make. */
export function wantedForm(header: string | undefined): Wanted | undefined {
  for (const { type, parameters } of parseAccept(header)) {
    if (!json.has(type)) continue;
    const version = parameters.v ?? 'v1';
    const known = parameters.g === 'meta.k8s.io' && (version === 'v1' || version === 'v1beta1');
    if (parameters.as === undefined) return { form: 'object', version: 'v1' };
    if (known && parameters.as === 'Table') return { form: 'table', version };
    if (known && ['PartialObjectMetadata', 'PartialObjectMetadataList'].includes(parameters.as))
      return { form: 'partial', version };
  }
  return undefined;
}
