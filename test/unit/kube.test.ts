import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clone, deepEqual, deepFreeze, setOwn } from '../../src/kube/json.js';
import { labelProblems, qualifiedNameProblems, subdomainProblems } from '../../src/kube/names.js';
import {
  canonicalQuantity,
  compareQuantities,
  milliValue,
  numberValue,
  QuantityError,
} from '../../src/kube/quantity.js';
import { matchesLabels, parseFieldSelector, parseLabelSelector, SelectorError } from '../../src/kube/selector.js';
import { age, humanDuration, parseTime, timestamp } from '../../src/kube/time.js';

describe('quantity', () => {
  test.each([
    ['1', '1'],
    ['0.5', '500m'],
    ['1000m', '1'],
    ['1500m', '1500m'],
    ['1024Mi', '1Gi'],
    ['1.5Gi', '1536Mi'],
    ['0.5Gi', '512Mi'],
    ['1e3', '1e3'],
    ['1000', '1k'],
    ['128974848', '128974848'],
    ['0', '0'],
    ['-1.5', '-1500m'],
    ['100u', '100u'],
    ['1Ki', '1Ki'],
    ['.5', '500m'],
    ['5.', '5'],
    [' 5'.trim(), '5'],
  ])('%s is written %s', (text, canonical) => expect(canonicalQuantity(text)).toBe(canonical));

  test.each(['', 'x', '1Q', '1 ', '--1', '1e', 'Mi', '.', '1.2.3', '1kk', '1e9999'])('"%s" is refused', text => {
    expect(() => canonicalQuantity(text)).toThrow(QuantityError);
  });

  test('values round up', () => {
    expect(milliValue('1u')).toBe(1n);
    expect(milliValue('250m')).toBe(250n);
    expect(numberValue('1.5Gi')).toBe(1.5 * 2 ** 30);
    expect(numberValue('100m')).toBe(1);
  });

  const suffix = fc.constantFrom('', 'm', 'k', 'M', 'G', 'Ki', 'Mi', 'Gi', 'u', 'n');
  const quantity = fc.tuple(fc.integer({ min: -1_000_000, max: 1_000_000 }), suffix).map(([n, s]) => `${n}${s}`);
  test('the canonical form has the same value and is its own canonical form', () => {
    fc.assert(
      fc.property(quantity, text => {
        const canonical = canonicalQuantity(text);
        expect(compareQuantities(text, canonical)).toBe(0);
        expect(canonicalQuantity(canonical)).toBe(canonical);
      }),
    );
  });
});

describe('label selector', () => {
  const labels = { app: 'web', tier: 'front', size: '7' };
  test.each([
    ['', true],
    ['app=web', true],
    ['app==web,tier!=back', true],
    ['app in (web, db)', true],
    ['app notin (web)', false],
    ['missing notin (x)', true],
    ['missing!=x', true],
    ['app', true],
    ['!app', false],
    ['!missing', true],
    ['size>6,size<8', true],
    ['size>7', false],
    ['app=', false],
    ['in in (in)', false],
  ])('%s → %s', (text, matches) => expect(matchesLabels(parseLabelSelector(text), labels)).toBe(matches));

  test.each([',', 'a,', 'a=b c', 'a in b', 'a in (b', '=b', 'a===b', '!', 'a>x', 'a b', '-a=b', 'a=b$'])(
    '"%s" is refused',
    text => {
      expect(() => parseLabelSelector(text)).toThrow(SelectorError);
    },
  );

  test('labels named like parts of objects are only labels', () => {
    expect(matchesLabels(parseLabelSelector('constructor'), labels)).toBe(false);
    expect(matchesLabels(parseLabelSelector('!toString'), labels)).toBe(true);
  });

  test('any text either parses or is refused', () => {
    const piece = fc.constantFrom(
      'a',
      'b',
      '=',
      '!=',
      '==',
      ' in ',
      ' notin ',
      '(',
      ')',
      ',',
      '!',
      '>',
      '<',
      ' ',
      '1',
      '\\',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), parts => {
        try {
          parseLabelSelector(parts.join(''));
        } catch (error) {
          expect(error).toBeInstanceOf(SelectorError);
        }
      }),
    );
  });
});

describe('field selector', () => {
  test('terms, negation, escapes', () => {
    expect(parseFieldSelector('a.b=c,d!=e,f==g')).toEqual([
      { path: 'a.b', negated: false, value: 'c' },
      { path: 'd', negated: true, value: 'e' },
      { path: 'f', negated: false, value: 'g' },
    ]);
    expect(parseFieldSelector('a=x\\,y\\=z\\\\')).toEqual([{ path: 'a', negated: false, value: 'x,y=z\\' }]);
    expect(parseFieldSelector('a=')).toEqual([{ path: 'a', negated: false, value: '' }]);
  });
  test.each(['a', '=b', 'a=b=c', 'a=b\\x'])('"%s" is refused', text =>
    expect(() => parseFieldSelector(text)).toThrow(SelectorError),
  );
});

describe('names and times', () => {
  test('names', () => {
    expect(subdomainProblems('a.b-c.d9')).toEqual([]);
    for (const bad of ['', 'A', 'a..b', '-a', 'a-', 'a_b', 'a'.repeat(254)])
      expect(subdomainProblems(bad)).not.toEqual([]);
    for (const bad of ['a.b', 'x'.repeat(64)]) expect(labelProblems(bad)).not.toEqual([]);
    expect(qualifiedNameProblems('example.com/My_Name.x')).toEqual([]);
    for (const bad of ['', '/x', 'a/', 'a/b/c', 'Ex/x', 'a/-x']) expect(qualifiedNameProblems(bad)).not.toEqual([]);
  });

  const s = 1000;
  test.each([
    [0, '0s'],
    [119 * s, '119s'],
    [120 * s, '2m'],
    [125 * s, '2m5s'],
    [600 * s, '10m'],
    [3 * 3600 * s, '3h'],
    [(3 * 3600 + 60) * s, '3h1m'],
    [47 * 3600 * s, '47h'],
    [50 * 3600 * s, '2d2h'],
    [9 * 86400 * s, '9d'],
    [800 * 86400 * s, '2y70d'],
  ])('%d ms is %s', (ms, text) => expect(humanDuration(ms)).toBe(text));

  test('a time survives printing; no time is unknown', () => {
    expect(parseTime(timestamp(1_700_000_000_000))).toBe(1_700_000_000_000);
    expect(age(undefined, 0)).toBe('<unknown>');
    expect(parseTime('2026-01-01')).toBeUndefined();
  });
});

describe('json', () => {
  test('a key __proto__ is data: copied, compared, never the prototype', () => {
    const hostile = JSON.parse('{"__proto__":{"polluted":true},"a":[{"constructor":1}]}') as object;
    const copy = clone(hostile);
    expect(deepEqual(copy, hostile)).toBe(true);
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
    expect(JSON.stringify(copy)).toBe(JSON.stringify(hostile));
    const target = {};
    setOwn(target, '__proto__', 1);
    expect(Object.getPrototypeOf(target)).toBe(Object.prototype);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
  test('copies are equal and independent', () => {
    fc.assert(
      fc.property(fc.jsonValue(), value => {
        const frozen = deepFreeze(clone(value));
        expect(deepEqual(frozen, value)).toBe(true);
        expect(deepEqual(JSON.parse(JSON.stringify(frozen)), JSON.parse(JSON.stringify(value)))).toBe(true);
      }),
    );
  });
});
