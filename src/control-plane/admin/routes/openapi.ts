// The OpenAPI 3.1 document, made from the table of routes and its schemas.

import { z } from 'zod';
import { IDEMPOTENCY_KEY_CHARS_MAX } from '../../../api/api-limits.ts';
import { PROBLEMS, type ProblemCode } from '../../../api/problem-codes.ts';
import { ACCESS_PROBLEMS, DOOR_PROBLEMS, type AnswerShape, type Route } from './route.ts';
import { namedSchemas, schemaReference } from './api-schemas.ts';

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
    info: {
      title: 'Turnout admin API',
      version,
      description:
        'Switches services between blue and green. Every change is one decision with a number, the ' +
        'generation. Refusals are problem documents (RFC 9457) with a stable code.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    // The document is served by the API that it describes.
    servers: [{ url: '/', description: 'This process.' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: namedSchemas(),
      parameters: { IfMatch: IF_MATCH, IdempotencyKey: IDEMPOTENCY_KEY },
      headers: HEADERS,
      securitySchemes: SECURITY_SCHEMES,
    },
  };
}

/** What the calls are about, as documents group them. */
const TAGS = {
  traffic: 'Which release gets the traffic, and what becomes of what it had.',
  releases: 'What runs on the two colors.',
  process: 'The process itself: its health, its settings, its successor.',
  access: 'Who may call, and who has called.',
} as const;

/** By the first words of the path; all others are about traffic. */
const TAG_OF: Readonly<Record<string, keyof typeof TAGS>> = {
  audit: 'access',
  tokens: 'access',
  deployments: 'releases',
  preview: 'releases',
  releases: 'releases',
  unlock: 'releases',
  livez: 'process',
  readyz: 'process',
  metrics: 'process',
  'openapi.json': 'process',
  reload: 'process',
  upgrade: 'process',
};

function operation(route: Route): JsonObject {
  const { method, path, doc, isOldName, goesOn, role, query, body, answer, problems } = route;
  const isOpen = role === 'none';
  const all = [...problems, ...(isOpen ? DOOR_PROBLEMS : ACCESS_PROBLEMS)];
  const subject = path.replace(/^\/(?:v1\/)?/, '').split('/', 1)[0]!;
  const good = { headers: answerHeaders(route), content: answerContent(answer) };
  return {
    operationId: `${method.toLowerCase()}${path.replaceAll(/[/.]:?(\w)/g, (_, c: string) => c.toUpperCase())}`,
    tags: [TAG_OF[subject] ?? 'traffic'],
    summary: doc,
    ...(isOldName ? { deprecated: true } : {}),
    description: isOpen ? 'Needs no credentials.' : `Needs the role ${role}.`,
    security: isOpen ? [] : [{ token: [] }, { certificate: [] }, {}],
    parameters: [
      ...pathParameters(path),
      ...queryParameters(query),
      ...(body ? [parameter('IfMatch'), parameter('IdempotencyKey')] : []),
    ],
    ...(body ? { requestBody: { content: jsonContent(schemaReference(body)) } } : {}),
    responses: {
      200: { description: doc, ...good },
      ...(goesOn ? { 202: { description: 'It has begun, and goes on.', ...good } } : {}),
      ...refusals(all),
    },
  };
}

function parameter(name: string): JsonObject {
  return { $ref: `#/components/parameters/${name}` };
}

/** Fields of answers that say something. */
const HEADERS = {
  ETag: header(
    'The generation that the answer speaks of, or the last event of a rollout; for If-Match.',
    '"12"',
  ),
  'Idempotent-Replayed': header('"true": this call was made before with this key.', 'true'),
  'Retry-After': header('Seconds to wait before the next try.', '5'),
  'WWW-Authenticate': header('How a caller shows who it is.', 'Bearer realm="turnout"'),
} as const;

function header(description: string, example: string): JsonObject {
  return { description, schema: { type: 'string', examples: [example] } };
}

function headersOf(names: readonly (keyof typeof HEADERS)[]): JsonObject {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

function answerHeaders({ answer, body }: Route): JsonObject {
  if (answer.type !== 'application/json') return {};
  return headersOf(body ? ['ETag', 'Idempotent-Replayed'] : ['ETag']);
}

/** By status of a refusal. */
const PROBLEM_HEADERS: Readonly<Record<number, readonly (keyof typeof HEADERS)[]>> = {
  401: ['WWW-Authenticate'],
  429: ['Retry-After'],
  503: ['Retry-After'],
};

const IF_MATCH: JsonObject = {
  name: 'If-Match',
  in: 'header',
  required: false,
  description:
    'Generations that the caller has seen (of one rollout: events), each in quotes: another one since ' +
    'then refuses the call with 412. `*`, or left out: any.',
  schema: { type: 'string', examples: ['"12"'] },
};

const IDEMPOTENCY_KEY: JsonObject = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description:
    'The same call with the same key is made once; for 24 h it gets the same answer. What was ' +
    'refused leaves the key free.',
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
  return jsonContent(schemaReference(answer.schema));
}

function refusals(problems: readonly ProblemCode[]): JsonObject {
  const byStatus = Map.groupBy(problems, (code) => PROBLEMS[code].status);
  const rows = [...byStatus].map(([status, codes]) => [
    status,
    {
      description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].title}`).join('; '),
      headers: headersOf(PROBLEM_HEADERS[status] ?? []),
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
