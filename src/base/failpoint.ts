/**
 * Named points where a test can make this process crash, fail or pause, to prove that every step can be interrupted
 * (reliability rule A18). Switched on from outside only: `KEELSON_FAILPOINTS=name=crash,other=error,third=delay:200`.
 * Unset, a point costs one map look-up.
 */
type Effect = { readonly do: 'crash' } | { readonly do: 'error' } | { readonly do: 'delay'; readonly ms: number };

const points = parseFailpoints(process.env['KEELSON_FAILPOINTS'] ?? '');

/** Parses `name=crash|error|delay:MS[,…]`; unknown effects throw, so that a misspelt test does not pass silently. */
export function parseFailpoints(text: string): ReadonlyMap<string, Effect> {
  const found = new Map<string, Effect>();
  for (const item of text.split(',').filter(Boolean)) {
    const [name = '', effect = ''] = item.split('=');
    const [verb, value] = effect.split(':');
    if (verb === 'crash' || verb === 'error') found.set(name, { do: verb });
    else if (verb === 'delay') found.set(name, { do: 'delay', ms: Number(value ?? 100) });
    else
      throw new Error(`KEELSON_FAILPOINTS: unknown effect "${effect}" of "${name}"; allowed: crash, error, delay:MS`);
  }
  return found;
}

/** Marks a step's edge. With no effect set it returns at once. */
export async function failpoint(name: string): Promise<void> {
  const effect = points.get(name);
  if (effect) await strike(name, effect);
}

async function strike(name: string, effect: Effect): Promise<void> {
  switch (effect.do) {
    case 'crash':
      process.stderr.write(`failpoint ${name}: crash\n`);
      // SIGKILL to oneself: no exit handler runs, as in a real crash
      process.kill(process.pid, 'SIGKILL');
      await new Promise(() => {});
      return;
    case 'error':
      throw new Error(`failpoint ${name}: injected error`);
    case 'delay':
      await new Promise(resolve => setTimeout(resolve, effect.ms));
      return;
  }
}
