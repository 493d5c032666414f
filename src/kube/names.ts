/** Kubernetes' rules for names (RFC 1123, RFC 1035, qualified names), with its own texts. Each returns the complaints. */

const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const qualifiedPart = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

const subdomainText =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const labelText =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const dns1035Text =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const valueText =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const namePartText =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

const tooLong = (limit: number): string => `must be no more than ${limit} characters`;

export function subdomainProblems(name: string): string[] {
  if (name.length > 253) return [tooLong(253)];
  return name.split('.').every(part => subdomain.test(part)) ? [] : [subdomainText];
}

export function labelProblems(name: string): string[] {
  if (name.length > 63) return [tooLong(63)];
  return subdomain.test(name) ? [] : [labelText];
}

/** Names of Services: as labels, and a letter first. */
export function dns1035Problems(name: string): string[] {
  if (name.length > 63) return [tooLong(63)];
  return /^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(name) ? [] : [dns1035Text];
}

export function labelValueProblems(value: string): string[] {
  if (value.length > 63) return [tooLong(63)];
  return value === '' || qualifiedPart.test(value) ? [] : [valueText];
}

/** `[prefix/]name` as for label and annotation keys. */
export function qualifiedNameProblems(key: string): string[] {
  const parts = key.split('/');
  if (parts.length > 2)
    return [
      "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
    ];
  const name = parts.at(-1)!;
  const prefix =
    parts.length === 2
      ? parts[0] === ''
        ? ['prefix part must be non-empty']
        : subdomainProblems(parts[0]!).map(text => `prefix part ${text}`)
      : [];
  if (name === '') return [...prefix, 'name part must be non-empty', namePartText];
  if (name.length > 63) return [...prefix, `name part ${tooLong(63)}`];
  return qualifiedPart.test(name) ? prefix : [...prefix, namePartText];
}

const suffixLetters = 'bcdfghjklmnpqrstvwxz2456789';

/** The five random characters that Kubernetes appends to `generateName`; @param random in [0, 1). */
export function generatedSuffix(random: () => number): string {
  return Array.from({ length: 5 }, () => suffixLetters[Math.floor(random() * suffixLetters.length)]).join('');
}
