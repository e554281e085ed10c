// The OpenAPI 3.1 document, made from the table of routes and its schemas.

import { z } from 'zod';
import { IDEMPOTENCY_KEY_CHARS_MAX } from '../../../api/api-limits.ts';
import { PROBLEMS, type ProblemCode } from '../../../api/problem-codes.ts';
import { ACCESS_PROBLEMS, type AnswerShape, type Route } from './route.ts';
import { problemAnswer } from '../../../api/process.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/** Returns the document for `routes`. */
export function openApiDocument(routes: readonly Route[], version: string): JsonObject {
  const paths: Record<string, Record<string, JsonObject>> = {};
  for (const route of routes) {
    (paths[route.path.replaceAll(PARAMETER, '{$1}')] ??= {})[route.method.toLowerCase()] =
      operation(route);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Turnout admin API', version },
    paths,
    components: {
      schemas: { Problem: schemaOf(problemAnswer, 'output') },
      securitySchemes: SECURITY_SCHEMES,
    },
  };
}

function operation(route: Route): JsonObject {
  const { method, path, doc, isOldName, role, query, body, answer, problems } = route;
  const isOpen = role === 'none';
  const all = isOpen ? problems : [...problems, ...ACCESS_PROBLEMS];
  return {
    operationId: `${method.toLowerCase()}${path.replaceAll(/[/.]:?(\w)/g, (_, c: string) => c.toUpperCase())}`,
    summary: doc,
    ...(isOldName ? { deprecated: true } : {}),
    description: isOpen ? 'Needs no credentials.' : `Needs the role ${role}.`,
    security: isOpen ? [] : [{ token: [] }, { certificate: [] }, {}],
    parameters: [
      ...pathParameters(path),
      ...queryParameters(query),
      ...(body ? [IF_MATCH, IDEMPOTENCY_KEY] : []),
    ],
    ...(body ? { requestBody: { content: jsonContent(schemaOf(body, 'input')) } } : {}),
    responses: { 200: { description: doc, content: answerContent(answer) }, ...refusals(all) },
  };
}

const IF_MATCH: JsonObject = {
  name: 'If-Match',
  in: 'header',
  required: false,
  description: 'Refuses with 412 unless this is the current generation.',
  schema: { type: 'string', examples: ['"12"'] },
};

const IDEMPOTENCY_KEY: JsonObject = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'The same call with the same key is made once; for 24 h it gets the same answer.',
  schema: { type: 'string', maxLength: IDEMPOTENCY_KEY_CHARS_MAX, pattern: '^[!-~]+$' },
};

/** On loopback and on a Unix socket neither is needed, unless client certificates are asked for. */
const SECURITY_SCHEMES: JsonObject = {
  token: { type: 'http', scheme: 'bearer', description: 'Made by POST /v1/tokens.' },
  certificate: { type: 'mutualTLS', description: 'Named in admin.tls.clients.' },
};

/** A segment of a path that stands for any. */
const PARAMETER = /:(\w+)/g;

function pathParameters(path: string): JsonObject[] {
  return [...path.matchAll(PARAMETER)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function queryParameters(query: z.ZodType): JsonObject[] {
  const { properties, required } = schemaOf(query, 'input');
  return Object.entries(properties ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required?.includes(name) ?? false,
    schema,
  }));
}

function answerContent(answer: AnswerShape): JsonObject {
  if (answer.type !== 'application/json') return { [answer.type]: { schema: { type: 'string' } } };
  return jsonContent(schemaOf(answer.schema, 'output'));
}

function refusals(problems: readonly ProblemCode[]): JsonObject {
  const byStatus = Map.groupBy(problems, (code) => PROBLEMS[code].status);
  const rows = [...byStatus].map(([status, codes]) => [
    status,
    {
      description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].title}`).join('; '),
      content: {
        'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
      },
    },
  ]);
  return Object.fromEntries(rows) as JsonObject;
}

function jsonContent(schema: JsonObject): JsonObject {
  return { 'application/json': { schema } };
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): z.core.JSONSchema.BaseSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}
