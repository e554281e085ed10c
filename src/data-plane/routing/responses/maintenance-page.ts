// The page that browsers get during maintenance if the operator has set none.

/** Returns the page with `line` as its sentence. */
export function usualPage(line: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Back soon</title>
<style>
  body { font: 1.1rem/1.5 system-ui, sans-serif; display: grid; place-content: center;
    min-height: 100vh; margin: 0; padding: 1rem; text-align: center; color: #223; background: #f6f7f9 }
  @media (prefers-color-scheme: dark) { body { color: #dde; background: #16181d } }
</style>
<main><h1>Back soon</h1><p>${escaped(line)}</p></main>
</html>
`;
}

const ESCAPES: readonly (readonly [string, string])[] = [
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
];

function escaped(line: string): string {
  return ESCAPES.reduce((all, [from, to]) => all.replaceAll(from, to), line);
}
