// A number from Prometheus, or from what speaks its API, and the bounds it must be in. What can't be known
// now, because nothing answers or nothing was measured, is asked again later and is no failure.

import { isIP } from 'node:net';
import type { PrometheusGateSettings } from '../../config/settings/rollout/rollout-settings.ts';
import { filledIn } from '../../config/values/taken.ts';
import { readSecrets } from '../base/secret-file.ts';
import { authorities, lookupOf, reasonOf } from '../notifications/signed-post.ts';
import type { Gate, GateContext, GateParts } from './asked-gate.ts';
import { ownRequest, type OwnRequest } from './own-request.ts';
import { numberResult } from './prometheus-answer.ts';

/** A longer query is posted: proxies in between may refuse a longer target. */
const TARGET_CHARS_MAX = 2_000;

type Parts = Pick<GateParts, 'dns' | 'isOurs'>;

/** Makes the gate. */
export function prometheusGate(settings: PrometheusGateSettings, parts: Parts): Gate {
  return {
    async ask(context, signal) {
      let asked: OwnRequest;
      try {
        asked = queryRequest(settings, context, parts);
      } catch (error) {
        return { verdict: 'error', detail: reasonOf(error) };
      }
      try {
        const { status, body, isCut } = await ownRequest(asked, signal);
        return numberResult({ status, text: body.toString('utf8'), isCut }, settings);
      } catch (error) {
        if (signal.aborted) return { verdict: 'error', detail: 'called off' };
        return { verdict: 'later', detail: reasonOf(error) };
      }
    },
  };
}

/** Returns the request; throws what the operator has to mend. */
function queryRequest(
  { url, query, user, secretFile, caFile = '' }: PrometheusGateSettings,
  { subjects: [subject] }: GateContext,
  parts: Parts,
): OwnRequest {
  const { protocol, hostname, port, host, pathname, search } = new URL(url);
  const isSecure = protocol === 'https:';
  const bare = hostname.replace(/^\[|\]$/g, '');
  const to = { kind: 'tcp', host: bare, port: Number(port || (isSecure ? 443 : 80)) } as const;
  if (isIP(bare) !== 0 && parts.isOurs(to)) {
    throw new Error('the URL leads to a listener of Turnout itself');
  }
  const values = new Map([
    ['service', subject?.service ?? ''],
    ['release', subject?.to.release ?? ''],
    ['color', subject?.to.color ?? ''],
    ['from_release', subject?.from.release ?? ''],
    ['from_color', subject?.from.color ?? ''],
  ]);
  const form = new URLSearchParams({ query: filledIn(query, values) }).toString();
  const path = `${pathname.replace(/\/+$/, '')}/api/v1/query${search}`;
  const target = `${path}${search === '' ? '?' : '&'}${form}`;
  const isShort = target.length <= TARGET_CHARS_MAX;
  return {
    to,
    method: isShort ? 'GET' : 'POST',
    path: isShort ? target : path,
    fields: {
      host,
      accept: 'application/json',
      'user-agent': 'turnout-gate',
      ...(isShort ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      ...(secretFile === undefined ? {} : { authorization: credentials(user, secretFile) }),
    },
    body: isShort ? '' : form,
    lookup: lookupOf(parts, to.port),
    ...(isSecure ? { tls: authorities(caFile) } : {}),
  };
}

function credentials(user: string, secretFile: string): string {
  const [secret] = readSecrets(secretFile);
  const text = secret?.toString('latin1') ?? '';
  if (user === '') return `Bearer ${text}`;
  return `Basic ${Buffer.from(`${user}:${text}`, 'latin1').toString('base64')}`;
}
