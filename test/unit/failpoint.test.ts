import { expect, test } from 'vitest';
import { parseFailpoints } from '../../src/base/failpoint.js';

test('failpoints name an effect each; a misspelt one is refused instead of passing silently', () => {
  expect([...parseFailpoints('a=crash,b=crash:3,c=error,d=delay:20')]).toEqual([
    ['a', { do: 'crash', pass: 1 }],
    ['b', { do: 'crash', pass: 3 }],
    ['c', { do: 'error', times: Number.POSITIVE_INFINITY }],
    ['d', { do: 'delay', ms: 20 }],
  ]);
  expect(() => parseFailpoints('a=crush')).toThrow('unknown effect "crush" of "a"');
});
