// The rows of the API that are about its own tokens.

import { noQuery } from '../../../api/shared-fields.ts';
import {
  revokeBody,
  token,
  tokenAnswer,
  tokenBody,
  tokensAnswer,
  type Token,
} from '../../../api/token-answers.ts';
import type { Call } from '../../audit/call.ts';
import { jsonText } from '../../base/json-text.ts';
import { OperatorError } from '../../base/problems.ts';
import type { Notes, StoredToken } from '../../store/store.ts';
import { json, route, type Route } from './route.ts';
import { timeText } from '../../base/time-text.ts';

const PROBLEMS = [
  ...(['body-invalid', 'json-malformed', 'content-type-not-json', 'body-too-large'] as const),
  ...(['query-invalid', 'store-failed', 'upgrading', 'idempotency-key-malformed'] as const),
  ...(['idempotency-mismatch', 'idempotency-running'] as const),
];

export const TOKEN_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/tokens',
    doc: 'Lists the tokens, without their secrets.',
    role: 'admin',
    scope: 'process',
    query: noQuery,
    body: undefined,
    answer: json(tokensAnswer),
    problems: ['query-invalid'],
    async handle(_asked, { tokens }) {
      return { body: { tokens: tokens.all.map(tokenView) } };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/tokens',
    doc: 'Makes a token; its text is in the answer, and nowhere else.',
    role: 'admin',
    scope: 'process',
    query: noQuery,
    body: tokenBody,
    answer: json(tokenAnswer),
    problems: [...PROBLEMS, 'token-name-taken', 'too-many-tokens', 'busy'],
    async handle({ body, call, actor, allow }, { tokens, switchboard }) {
      const { life: lifeMs, services, role, targets } = body;
      if (allow !== undefined) checkNoMore(targets, allow, actor);
      const known = switchboard.table.services.map((service) => service.name);
      const unknown = services.filter((service) => !known.includes(service));
      if (unknown.length > 0) throw unknownServices(unknown, known);
      const { epoch: generation } = switchboard.table;
      const made = await tokens.create(
        { name: body.name, role, services, targets, lifeMs },
        (token) => notesOf(call, generation, { ...tokenView(token), token: null }),
      );
      call.recorded();
      const view = tokenView(made.token);
      return { body: { ...view, token: made.text }, remembered: { ...view, token: null } };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/tokens/revoke',
    doc: 'Ends a token; from now on it opens nothing.',
    role: 'admin',
    scope: 'process',
    query: noQuery,
    body: revokeBody,
    answer: json(token),
    problems: [...PROBLEMS, 'token-unknown'],
    async handle({ body, call }, { tokens, switchboard }) {
      const { epoch: generation } = switchboard.table;
      const revoked = await tokens.revoke(body.id, (token) =>
        notesOf(call, generation, tokenView(token)),
      );
      call.recorded();
      return { body: tokenView(revoked) };
    },
  }),
];

/** A caller that is bound by rules makes no token that is bound by less; throws `forbidden`. */
function checkNoMore(targets: readonly string[], allow: readonly string[], actor: string): void {
  if (targets.length > 0 && targets.every((rule) => allow.includes(rule))) return;
  const why = `targets: expected some of ${allow.join(', ')}, because ${actor} may lead nowhere else`;
  throw new OperatorError('forbidden', why);
}

function notesOf(call: Call, generation: number, body: unknown): Notes {
  return call.notes({ outcome: 'done', status: 200, generation, body: jsonText(body) });
}

/** Returns what may be told of a token: all but its secret, which is not stored. */
export function tokenView(one: StoredToken): Token {
  const { id, name, role, services, targets } = one;
  const { createdAtMs, expiresAtMs, revokedAtMs, lastUsedAtMs } = one;
  return {
    id,
    name,
    role,
    services: [...services],
    targets: [...targets],
    createdAt: timeText(createdAtMs),
    expiresAt: textOrNull(expiresAtMs),
    revokedAt: textOrNull(revokedAtMs),
    lastUsedAt: textOrNull(lastUsedAtMs),
  };
}

function textOrNull(ms: number | undefined): string | null {
  return ms === undefined ? null : timeText(ms);
}

function unknownServices(unknown: readonly string[], known: readonly string[]): OperatorError {
  const detail = `no service is called ${unknown.join(', ')}; expected some of: ${known.join(', ')}`;
  return new OperatorError('service-unknown', detail, { members: { services: known } });
}
