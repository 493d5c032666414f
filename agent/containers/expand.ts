/** `$(NAME)` in commands, arguments and values, by the rules of Kubernetes (third_party/forked/golang/expansion). Pure. */

/** Unknown names stay as they are; `$$` is one `$`, so `$$(NAME)` is the text `$(NAME)`. */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  return text.replace(/\$(?:\$|\(([^)]*)\))/g, (whole, name: string | undefined) => {
    if (name === undefined) return '$';
    return lookup(name) ?? whole;
  });
}
