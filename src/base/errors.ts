/** Error shapes that both sides share. Made in one place, wrapped with `cause` on the way up, classified once at the edge. */

/** The text of anything thrown, with its chain of causes: `deed: thing: cause`. What a message already says is not repeated. */
export function describe(error: unknown): string {
  let text = '';
  for (let here: unknown = error; here !== undefined; here = here instanceof Error ? here.cause : undefined) {
    const own = here instanceof Error ? here.message : String(here);
    if (text === '') text = own;
    else if (!text.includes(own)) text = `${text}: ${own}`;
  }
  return text;
}

/** The `code` of a Node system error (`ENOENT`, …), or undefined. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** An error whose message is meant for the person at the terminal: printed as one line, without a stack. */
export class UserError extends Error {
  /** @param hint what to type or change next */
  constructor(
    message: string,
    readonly hint?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'UserError';
  }
}
