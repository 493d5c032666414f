/** Regular expressions of schemas: RE2's syntax and linear time, as in Kubernetes; the platform's own could be made to hang. */
import { RE2JS } from 're2js';

const compiled = new Map<string, RE2JS>();
const cacheSize = 2000;

function compile(pattern: string): RE2JS {
  let found = compiled.get(pattern);
  if (!found) {
    if (compiled.size >= cacheSize) compiled.clear();
    found = RE2JS.compile(pattern);
    compiled.set(pattern, found);
  }
  return found;
}

/** Why it is no RE2 expression. */
export function patternProblem(pattern: string): string | undefined {
  try {
    compile(pattern);
    return undefined;
  } catch (error) {
    return `must be a valid regular expression, but isn't: ${(error as Error).message}`;
  }
}

/** Whether it matches anywhere in the text. */
export const matchesPattern = (pattern: string, text: string): boolean => compile(pattern).matcher(text).find();
