/** Label and field selectors: text → predicate. Linear time, no regular expressions over what the user gave. */
import { labelValueProblems, qualifiedNameProblems } from './names.js';

export interface LabelRequirement {
  readonly key: string;
  readonly operator: 'in' | 'notin' | 'exists' | 'absent' | 'gt' | 'lt';
  readonly values: readonly string[];
}

export interface FieldRequirement {
  readonly path: string;
  readonly negated: boolean;
  readonly value: string;
}

/** A selector that cannot be read; the message says what and where. */
export class SelectorError extends Error {
  override name = 'SelectorError';
}

type Labels = Readonly<Record<string, string>> | undefined;

/** Parses `a=b,c!=d,e in (x,y),!f,g>5`. Empty text selects everything. */
export function parseLabelSelector(text: string): LabelRequirement[] {
  const words = lexLabels(text);
  const requirements: LabelRequirement[] = [];
  let at = 0;
  const peek = (): string | undefined => words[at];
  const take = (): string => words[at++] ?? '';
  while (at < words.length) {
    requirements.push(parseRequirement(peek, take));
    if (at < words.length && take() !== ',')
      throw unreadable(text, `found '${words[at - 1]}', expected: ',' or 'end of string'`);
    else if (at === words.length && words[at - 1] === ',')
      throw unreadable(text, "found '', expected: identifier after ','");
  }
  for (const requirement of requirements) checkRequirement(text, requirement);
  return requirements;
}

function unreadable(text: string, why: string): SelectorError {
  return new SelectorError(`unable to parse requirement in "${text}": ${why}`);
}

const symbols = new Set(['(', ')', ',', '!', '=', '==', '!=', '<', '>']);

function lexLabels(text: string): string[] {
  const words: string[] = [];
  let at = 0;
  while (at < text.length) {
    const two = text.slice(at, at + 2);
    const one = text[at]!;
    if (one === ' ' || one === '\t' || one === '\n') at++;
    else if (two === '==' || two === '!=') {
      words.push(two);
      at += 2;
    } else if (symbols.has(one)) {
      words.push(one);
      at++;
    } else {
      const start = at;
      while (at < text.length && !symbols.has(text[at]!) && !' \t\n'.includes(text[at]!)) at++;
      words.push(text.slice(start, at));
    }
  }
  return words;
}

function parseRequirement(peek: () => string | undefined, take: () => string): LabelRequirement {
  if (peek() === '!') {
    take();
    return { key: takeWord(take, 'identifier'), operator: 'absent', values: [] };
  }
  const key = takeWord(take, 'identifier');
  const operator = peek();
  if (operator === undefined || operator === ',') return { key, operator: 'exists', values: [] };
  take();
  switch (operator) {
    case '=':
    case '==':
      return { key, operator: 'in', values: [takeValue(peek, take)] };
    case '!=':
      return { key, operator: 'notin', values: [takeValue(peek, take)] };
    case '>':
    case '<':
      return { key, operator: operator === '>' ? 'gt' : 'lt', values: [takeValue(peek, take)] };
    case 'in':
    case 'notin':
      return { key, operator, values: takeSet(peek, take) };
    default:
      throw new SelectorError(
        `unable to parse requirement: found '${operator}', expected: in, notin, =, ==, !=, gt, lt`,
      );
  }
}

function takeWord(take: () => string, what: string): string {
  const word = take();
  if (word === '' || symbols.has(word))
    throw new SelectorError(`unable to parse requirement: found '${word}', expected: ${what}`);
  return word;
}

/** After an operator the value may be missing: `a=` selects the empty value. */
function takeValue(peek: () => string | undefined, take: () => string): string {
  const next = peek();
  return next === undefined || next === ',' ? '' : takeWord(take, 'value');
}

function takeSet(peek: () => string | undefined, take: () => string): string[] {
  if (take() !== '(') throw new SelectorError("unable to parse requirement: expected: '('");
  const values: string[] = [];
  for (;;) {
    const next = peek();
    if (next === ',' || next === ')') values.push('');
    else values.push(takeWord(take, 'value'));
    const separator = take();
    if (separator === ')') return [...new Set(values)];
    if (separator !== ',')
      throw new SelectorError(`unable to parse requirement: found '${separator}', expected: ',' or ')'`);
  }
}

function checkRequirement(text: string, { key, operator, values }: LabelRequirement): void {
  const problems = [...qualifiedNameProblems(key), ...values.flatMap(labelValueProblems)];
  if (problems.length > 0) throw unreadable(text, problems[0]!);
  const compares = operator === 'gt' || operator === 'lt';
  if (compares && !/^-?\d{1,18}$/.test(values[0] ?? ''))
    throw unreadable(text, `for 'Gt', 'Lt' operators, the value must be an integer, not "${values[0]}"`);
}

export function matchesLabels(requirements: readonly LabelRequirement[], labels: Labels): boolean {
  return requirements.every(requirement => matchesOne(requirement, labels));
}

function matchesOne({ key, operator, values }: LabelRequirement, labels: Labels): boolean {
  const value = labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'in':
      return value !== undefined && values.includes(value);
    case 'notin':
      return value === undefined || !values.includes(value);
    case 'exists':
      return value !== undefined;
    case 'absent':
      return value === undefined;
    case 'gt':
      return value !== undefined && Number(value) > Number(values[0]);
    case 'lt':
      return value !== undefined && Number(value) < Number(values[0]);
  }
}

/** Parses `metadata.name=x,status.phase!=Running`; `\` escapes `,`, `=` and `\`. */
export function parseFieldSelector(text: string): FieldRequirement[] {
  return splitEscaped(text)
    .filter(term => term !== '')
    .map(parseFieldTerm);
}

function splitEscaped(text: string): string[] {
  const terms: string[] = [];
  let term = '';
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\') term += text[at]! + (text[++at] ?? '');
    else if (text[at] === ',') {
      terms.push(term);
      term = '';
    } else term += text[at];
  }
  return [...terms, term];
}

function parseFieldTerm(term: string): FieldRequirement {
  const at = term.indexOf('=');
  if (at < 1) throw new SelectorError(`invalid selector: '${term}'; can't understand '${term}'`);
  const negated = term[at - 1] === '!';
  const value = term.slice(term[at + 1] === '=' ? at + 2 : at + 1);
  return { path: term.slice(0, negated ? at - 1 : at).trim(), negated, value: unescapeValue(value, term) };
}

function unescapeValue(value: string, term: string): string {
  let out = '';
  for (let at = 0; at < value.length; at++) {
    if (value[at] === '=') throw new SelectorError(`invalid selector: '${term}'; unescaped '=' in the value`);
    if (value[at] !== '\\') out += value[at];
    else if (['\\', ',', '='].includes(value[at + 1] ?? '')) out += value[++at];
    else throw new SelectorError(`invalid selector: '${term}'; invalid escape sequence`);
  }
  return out;
}
