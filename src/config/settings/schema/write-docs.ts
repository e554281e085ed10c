// `npm run docs`: writes the documents that come from the table of settings.

import { writeFileSync } from 'node:fs';
import { renderDocuments } from './render.ts';

for (const { path, text } of renderDocuments()) {
  writeFileSync(new URL(`../../../../${path}`, import.meta.url), text);
}
