/**
 * YAML 1.1 bodies as kubectl reads them, made harmless: bounded nesting, bounded aliases, no tags that make anything but JSON.
 *
 * The nesting is measured on tokens before anything is composed: composing is recursive, and a process that runs out of stack
 * inside a regular expression is not an exception to be caught but the end of the process (V8 aborts).
 */
import { Composer, type CST, Lexer, Parser } from 'yaml';
import { badRequest } from './errors.js';

/** Levels of lists and maps inside each other. */
const maxDepth = 200;

/** The value of the one document. Throws StatusError 400. */
export function readYaml(text: string): unknown {
  checkFlowDepth(text);
  const tokens = [...new Parser().parse(text)];
  for (const token of tokens) checkDepth(token);
  const documents = [...new Composer(options).compose(tokens)];
  if (documents.length > 1) throw refuse('one document is expected, not several');
  const [document] = documents;
  const problem = document?.errors[0];
  if (problem) throw refuse(problem.message.split('\n')[0]!);
  try {
    return (document?.toJS({ maxAliasCount: 100 }) ?? null) as unknown;
  } catch (error) {
    throw refuse((error as Error).message);
  }
}

const refusedTags = ['timestamp', 'binary', 'omap', 'pairs', 'set', 'merge'].map(name => `tag:yaml.org,2002:${name}`);

const options = {
  version: '1.1' as const,
  uniqueKeys: true,
  merge: false,
  prettyErrors: false,
  // `filter` on the schema's own list: what is left makes plain JSON only
  customTags: <T>(tags: T[]): T[] =>
    tags.filter(tag => typeof tag !== 'string' && !refusedTags.includes((tag as { tag: string }).tag)),
};

const refuse = (why: string) => badRequest(`the body is not valid YAML: ${why}`);
const tooDeep = () => refuse(`nested deeper than ${maxDepth} levels`);

/** Brackets, and indicators that nest on one line (`- - -`): what a few bytes can make deep. */
function checkFlowDepth(text: string): void {
  let flow = 0;
  let line = 0;
  for (const token of new Lexer().lex(text)) {
    if (token === '[' || token === '{') flow++;
    else if (token === ']' || token === '}') flow--;
    else if (token === '\n' || token === '\r\n') line = 0;
    else if (token === '-' || token === '?') line++;
    if (flow > maxDepth || line > maxDepth) throw tooDeep();
  }
}

/** Walks the syntax tree without recursion. */
function checkDepth(root: CST.Token): void {
  const open: [CST.Token, number][] = [[root, 0]];
  for (let next = open.pop(); next; next = open.pop()) {
    const [token, depth] = next;
    if (depth > maxDepth) throw tooDeep();
    if (token.type === 'document' && token.value) open.push([token.value, depth]);
    if ('items' in token) {
      for (const { key, value } of token.items as { key?: CST.Token | null; value?: CST.Token }[]) {
        if (key) open.push([key, depth + 1]);
        if (value) open.push([value, depth + 1]);
      }
    }
  }
}
