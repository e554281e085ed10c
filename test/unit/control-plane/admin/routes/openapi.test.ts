// The OpenAPI document: clean under a linter, with a name for each schema, and every header described.

import { createConfig, lintFromString } from '@redocly/openapi-core';
import t from 'tap';
import { openApiDocument } from '../../../../../src/control-plane/admin/routes/openapi.ts';
import { ROUTES } from '../../../../../src/control-plane/admin/routes/routes.ts';

const DOCUMENT = openApiDocument(ROUTES, '1.2.3');
const TEXT = JSON.stringify(DOCUMENT);

await t.test('a linter has nothing to say about the document', async (t) => {
  const config = await createConfig({ extends: ['recommended'] });
  const problems = await lintFromString({ source: TEXT, absoluteRef: '/openapi.json', config });
  const told = problems.map(
    ({ ruleId, message, location }) => `${ruleId}: ${message} at ${location[0]?.pointer ?? ''}`,
  );
  t.same(told, []);
});

await t.test('bodies and answers of all calls have a name', async (t) => {
  for (const { method, path, body, answer } of ROUTES) {
    const operation = operationOf(path, method);
    if (body !== undefined) t.match(schemaIn(operation['requestBody']), { $ref: /Request$/ }, path);
    const {
      200: done,
      202: begun = done,
      ...refused
    } = operation['responses'] as Record<string, unknown>;
    if (answer.type === 'application/json') t.match(schemaIn(done), { $ref: /^#/ }, path);
    t.same(schemaIn(begun), schemaIn(done), `${path}: what goes on is answered alike`);
    for (const one of Object.values(refused)) t.match(schemaIn(one), { $ref: /Problem$/ }, path);
  }
});

await t.test(
  'changes take If-Match and Idempotency-Key, and both are described once',
  async (t) => {
    for (const { method, path, body } of ROUTES) {
      if (body === undefined) continue;
      const { parameters } = operationOf(path, method);
      t.match(JSON.stringify(parameters), /parameters\/IfMatch.*parameters\/IdempotencyKey/, path);
    }
    const { parameters, headers } = DOCUMENT['components'] as Record<
      string,
      Record<string, unknown>
    >;
    t.match(parameters, {
      IfMatch: { description: /412/ },
      IdempotencyKey: { description: /24 h/ },
    });
    for (const name of ['ETag', 'Retry-After', 'Idempotent-Replayed', 'WWW-Authenticate']) {
      t.match(headers![name], { description: /./ }, name);
    }
    t.match(TEXT, /"429":\{[^}]*"headers":\{"Retry-After":/);
  },
);

function operationOf(path: string, method: string): Record<string, unknown> {
  const paths = DOCUMENT['paths'] as Record<string, Record<string, Record<string, unknown>>>;
  return paths[path.replaceAll(/:(\w+)/g, '{$1}')]![method.toLowerCase()]!;
}

function schemaIn(part: unknown): unknown {
  const { content } = part as { readonly content: Record<string, { readonly schema: unknown }> };
  return Object.values(content)[0]!.schema;
}
