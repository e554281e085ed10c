// How gates, hooks and notifications must go together. As relations.ts, it looks only at what could be
// read, so a wrong value hides no contradiction elsewhere.

import { usedIn } from '../../values/taken.ts';
import type { Draft, Issue, Path, ServiceDraft } from './draft.ts';

type RolloutDraft = NonNullable<ServiceDraft['rollout']>;
type GateDraft = NonNullable<RolloutDraft['gates']>[number];
type HookDraft = NonNullable<RolloutDraft['hooks']>[number];
type RequestsDraft = Extract<NonNullable<GateDraft>, { readonly kind: 'requests' }>['requests'];

/** What of a rollout a query can name. */
const QUERY_NAMES: readonly string[] = [
  'service',
  'release',
  'color',
  'from_release',
  'from_color',
];

/** Returns what contradicts itself in rollouts and notifications. */
export function rolloutIssues(draft: Draft): Issue[] {
  const services = draft.services ?? [];
  return [
    ...services.flatMap((service, index) => {
      const at = ['services', index, 'rollout'];
      const { gates = [], hooks = [] } = service?.rollout ?? {};
      return [
        ...nameIssues(gates, [...at, 'gates']),
        ...gates.flatMap((gate, place) => gateIssues(gate, [...at, 'gates', place])),
        ...hooks.flatMap((hook, place) => hookIssues(hook, [...at, 'hooks', place])),
      ];
    }),
    ...notifyIssues(draft),
  ];
}

function nameIssues(gates: readonly GateDraft[], at: Path): Issue[] {
  const names = gates.map((gate) => gate?.name);
  return names.flatMap((name, index) => {
    const isFirst = name === undefined || names.indexOf(name) === index;
    const path = [...at, index, 'name'];
    return isFirst ? [] : [issue(path, `expected a name of its own, got ${name} twice`)];
  });
}

function gateIssues(gate: GateDraft, at: Path): Issue[] {
  if (gate?.kind === 'requests') return takenIssues(gate.requests, [...at, 'requests']);
  if (gate?.kind !== 'prometheus') return [];
  const { min, max, user = '', secretFile, query = '' } = gate;
  const found = usedIn(query)
    .filter((name) => !QUERY_NAMES.includes(name))
    .map((name) => issue([...at, 'query'], `\${${name}} is none of ${QUERY_NAMES.join(', ')}`));
  if (!('min' in gate) && !('max' in gate)) found.push(issue(at, 'expected min or max, got none'));
  if (min !== undefined && max !== undefined && min > max) {
    found.push(issue([...at, 'min'], `expected at most max (${max}), got ${min}`));
  }
  if (user !== '' && secretFile === undefined) {
    found.push(issue([...at, 'user'], 'expected secretFile beside a user, got none'));
  }
  return found;
}

/** A value can only be used after it was taken. */
function takenIssues(requests: RequestsDraft = [], at: Path): Issue[] {
  const known = new Set<string>();
  // What a request takes is not known where its mapping has a fault; then nothing is said.
  if (requests.some((request) => !isRead(request?.take))) return [];
  return requests.flatMap((request, index) => {
    if (request === undefined) return [];
    const { path = '', body = '', fields, take } = request;
    const texts: readonly (readonly [Path, string])[] = [
      [['path'], path],
      [['body'], body],
      ...(isRead(fields) ? [...fields] : []).map(
        ([name, value]) => [['fields', name], value] as const,
      ),
    ];
    const found = texts.flatMap(([where, text]) =>
      usedIn(text)
        .filter((name) => !known.has(name))
        .map((name) => {
          const message = `no request before this one takes \${${name}}`;
          return issue([...at, index, ...where], message);
        }),
    );
    if (isRead(take)) for (const name of take.keys()) known.add(name);
    return found;
  });
}

/** A mapping in which something is wrong stays as it was written. */
function isRead(mapping: unknown): mapping is ReadonlyMap<string, unknown> {
  return mapping instanceof Map;
}

function hookIssues(hook: HookDraft, at: Path): Issue[] {
  if (hook === undefined) return [];
  const { url, command = [], secretFile, caFile } = hook;
  if (url !== undefined && command.length > 0) {
    return [issue(at, 'expected url or command, got both')];
  }
  // A URL that is wrong has a fault of its own.
  if (!('url' in hook) && command.length === 0) {
    return [issue(at, 'expected url or command, got none')];
  }
  const file = secretFile === undefined ? 'caFile' : 'secretFile';
  if ('url' in hook || (secretFile ?? caFile) === undefined) return [];
  return [issue([...at, file], `expected ${file} beside a url, got it beside a command`)];
}

function notifyIssues({ notify = [], services = [] }: Draft): Issue[] {
  const known = services.map((service) => service?.name);
  if (known.includes(undefined)) return [];
  return notify.flatMap((sink, index) =>
    (sink?.services ?? []).flatMap((name, place) => {
      if (name === undefined || known.includes(name)) return [];
      const path = ['notify', index, 'services', place];
      return [issue(path, `expected the name of a service, got ${name}, which there is not`)];
    }),
  );
}

function issue(path: Path, message: string): Issue {
  return { path, message, at: 'value' };
}
