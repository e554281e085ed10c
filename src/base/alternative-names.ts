// Reads the names that a certificate is for, as Node writes them in one text.

export interface AlternativeName {
  /** As Node calls it: `DNS`, `IP Address`, `URI`, `email`. */
  readonly kind: string;
  readonly value: string;
}

/**
 * Returns the names of a text such as `DNS:a, URI:b`. Values with a comma or a quote stand in it as
 * JSON, so that one name cannot look like two (CVE-2021-44532).
 */
export function alternativeNames(subjectAltName: string | undefined): AlternativeName[] {
  const names: AlternativeName[] = [];
  const item = /\s*([^:,]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:,|$)/y;
  for (let found = item.exec(subjectAltName ?? ''); found !== null;) {
    const [, kind = '', value = ''] = found;
    names.push({ kind, value: value.startsWith('"') ? String(JSON.parse(value)) : value });
    found = item.exec(subjectAltName ?? '');
  }
  return names;
}
