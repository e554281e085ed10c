// How settings must go together. Each check looks only at what could be read, so that a wrong
// value in one place does not hide a contradiction in another.

import { ENDPOINTS_MAX } from '../../../contract/counters.ts';
import { printAddress } from '../../../contract/worker-settings.ts';
import { COLORS } from '../../../contract/table.ts';
import { isLocal } from '../../values/address.ts';
import { reaches } from '../../values/reach.ts';
import { clientListeners, listenIssues, listenWarnings } from './listen-relations.ts';
import { rolloutIssues } from './rollout-relations.ts';
import { schemaIssues } from './told-schema.ts';
import type { Draft, Issue, Path, ServiceDraft } from './draft.ts';

/** Returns the contradictions between the settings of `draft`. */
export function relationIssues(draft: Draft): readonly Issue[] {
  const services = draft.services ?? [];
  return [
    ...listenIssues(draft),
    ...limitIssues(draft),
    ...tlsIssues(draft),
    ...services.flatMap((service, index) => [
      ...targetIssues(draft, service ?? {}, ['services', index]),
      ...activeIssues(service ?? {}, ['services', index]),
      ...edgeIssues(service ?? {}, ['services', index]),
      ...COLORS.flatMap((color) =>
        schemaIssues(service?.[color]?.schema, ['services', index, color, 'schema']),
      ),
      ...upstreamTlsIssues(service ?? {}, ['services', index, 'upstreamTls']),
    ]),
    ...nameIssues(services),
    ...cookieIssues(services),
    ...routeIssues(services),
    ...countIssues(services),
    ...rolloutIssues(draft),
  ];
}

/** Returns what is allowed but may not be meant. */
export function relationWarnings(draft: Draft): readonly string[] {
  const shared = (draft.services ?? []).flatMap((service) => {
    const green = new Set((service?.green?.targets ?? []).map((target) => target?.url));
    const shared = (service?.blue?.targets ?? []).filter((target) => green.has(target?.url));
    return shared.map(
      (target) =>
        `service ${service?.name}: ${target?.url} is a target of both colors, ` +
        'so a switch changes nothing for it',
    );
  });
  return [...shared, ...failoverWarnings(draft), ...tlsWarnings(draft), ...listenWarnings(draft)];
}

function failoverWarnings({ services = [] }: Draft): string[] {
  return services.flatMap((service) => {
    const isBlind = service?.failover?.mode === 'auto' && service.health?.kind === 'none';
    const text = `service ${service?.name}: failover.mode is auto, but health.kind is none: `;
    return isBlind
      ? [`${text}nothing tells that a color is down, so traffic never moves by itself`]
      : [];
  });
}

/** Two services with one cookie would take it from each other with every request. */
function cookieIssues(services: readonly (ServiceDraft | undefined)[]): Issue[] {
  const seen = new Set<string>();
  return services.flatMap((service, index): Issue[] => {
    const name = service?.affinity?.cookie ?? '';
    if (name === '') return [];
    const isNew = !seen.has(name);
    seen.add(name);
    const path = ['services', index, 'affinity', 'cookie'];
    const message = `expected a cookie of its own, got ${name}, which another service has`;
    return isNew ? [] : [{ path, message, at: 'value' }];
  });
}

function limitIssues(draft: Draft): Issue[] {
  const target = draft.client?.targetSize;
  const head = draft.client?.headSize;
  if (target === undefined || head === undefined || target <= head) return [];
  const message = 'expected at most client.headSize, because the target is part of the head';
  return [{ path: ['client', 'targetSize'], message, at: 'value' }];
}

function targetIssues(draft: Draft, service: ServiceDraft, at: Path): Issue[] {
  const { preview, metrics } = draft;
  const clients = clientListeners(draft);
  const admin = draft.admin?.listen;
  return COLORS.flatMap((color) => {
    const seen = new Set<string>();
    return (service[color]?.targets ?? []).flatMap((target, index): Issue[] => {
      if (target === undefined) return [];
      const path = [...at, color, 'targets', index];
      const say = (message: string): Issue => ({ path, message, at: 'value' });
      const found: Issue[] = [];
      if (seen.has(target.url)) found.push(say(`${target.url} is listed twice`));
      seen.add(target.url);
      if (clients.some(({ address }) => reaches(target.address, address))) {
        found.push(say(`${target.url} is where Turnout listens: requests would go in circles`));
      }
      if (preview?.listen !== undefined && reaches(target.address, preview.listen)) {
        found.push(say(`${target.url} is where previews come in: requests would go in circles`));
      }
      if (metrics?.listen !== undefined && reaches(target.address, metrics.listen)) {
        found.push(say(`${target.url} is where metrics are read: every client could read them`));
      }
      if (admin !== undefined && reaches(target.address, admin)) {
        found.push(say(`${target.url} is the admin API: every client could switch`));
      }
      return found;
    });
  });
}

function activeIssues(service: ServiceDraft, at: Path): Issue[] {
  const { active, blue, green } = service;
  if (blue?.targets === undefined || green?.targets === undefined) return [];
  if (blue.targets.length === 0 && green.targets.length === 0) {
    const message =
      'expected targets on blue or green, got none: name them in the file ' +
      '(blue.targets), by flag (--blue) or by variable (TURNOUT_BLUE)';
    return [{ path: at, message, at: 'value' }];
  }
  if (active === undefined || service[active]?.targets?.length !== 0) return [];
  const message = `expected a color with targets, got ${active}, which has none`;
  return [{ path: [...at, 'active'], message, at: 'value' }];
}

/** What clients are told must lead back to the service. */
function upstreamTlsIssues({ upstreamTls }: ServiceDraft, at: Path): Issue[] {
  const { cert, key } = upstreamTls ?? {};
  if ((cert === undefined) === (key === undefined)) return [];
  const [has, lacks] = cert === undefined ? ['key', 'cert'] : ['cert', 'key'];
  const message = `expected upstreamTls.${lacks} beside it, got none`;
  return [{ path: [...at, has], message, at: 'value' }];
}

function edgeIssues({ hosts, paths, canonicalHost, stripPrefix }: ServiceDraft, at: Path): Issue[] {
  const issues: Issue[] = [];
  if (canonicalHost !== undefined && hosts !== undefined && hosts.length > 0) {
    const isOne = hosts.some((rule) => rule === undefined || isHostOf(rule, canonicalHost));
    const message = `expected a host of the service, got ${canonicalHost}: requests would be sent away`;
    if (!isOne) issues.push({ path: [...at, 'canonicalHost'], message, at: 'value' });
  }
  if (stripPrefix === true && paths?.every((path) => path === '/') === true) {
    const message = 'expected paths beside it, got none but /: there is no prefix';
    issues.push({ path: [...at, 'stripPrefix'], message, at: 'value' });
  }
  return issues;
}

function isHostOf(rule: string, host: string): boolean {
  return rule.startsWith('*.') ? host.endsWith(rule.slice(1)) : host === rule;
}

function nameIssues(services: readonly (ServiceDraft | undefined)[]): Issue[] {
  const seen = new Set<string>();
  return services.flatMap((service, index): Issue[] => {
    const name = service?.name;
    if (name === undefined) return [];
    const isNew = !seen.has(name);
    seen.add(name);
    if (isNew) return [];
    const message = `expected a name of its own, got ${name}, which another service has`;
    return [{ path: ['services', index, 'name'], message, at: 'value' }];
  });
}

/** Two services that claim the same host and path: the router could not tell them apart. */
function routeIssues(services: readonly (ServiceDraft | undefined)[]): Issue[] {
  const owners = new Map<string, string>();
  return services.flatMap((service, index): Issue[] => {
    if (service?.hosts === undefined || service.paths === undefined) return [];
    const label = service.name ?? `number ${index + 1}`;
    const issues: Issue[] = [];
    for (const host of orAny(service.hosts, 'any host')) {
      for (const path of orAny(service.paths, '/')) {
        const route = `${host} with ${path === '/' ? 'any path' : path}`;
        const owner = owners.get(route);
        if (owner === undefined) owners.set(route, label);
        else
          issues.push({
            path: ['services', index],
            message: taken(route, owner, label),
            at: 'value',
          });
      }
    }
    return issues;
  });
}

function taken(route: string, owner: string, label: string): string {
  if (owner === label) return `expected each route once, got ${route} twice`;
  return `expected hosts and paths of its own, got ${route}, which service ${owner} has`;
}

function orAny(rules: readonly (string | undefined)[], any: string): readonly string[] {
  return rules.length === 0 ? [any] : rules.filter((rule) => rule !== undefined);
}

function countIssues(services: readonly (ServiceDraft | undefined)[]): Issue[] {
  const count = services.reduce(
    (sum, service) =>
      sum + (service?.blue?.targets?.length ?? 0) + (service?.green?.targets?.length ?? 0),
    0,
  );
  if (count <= ENDPOINTS_MAX) return [];
  const message = `expected at most ${ENDPOINTS_MAX} targets in all, got ${count}`;
  return [{ path: ['services'], message, at: 'value' }];
}

/** Returns the contradictions between the settings of TLS. */
function tlsIssues({ admin }: Draft): Issue[] {
  const { cert, key, clientCa, clients = [] } = admin?.tls ?? {};
  const issues: Issue[] = [];
  const say = (name: string, message: string): void => {
    issues.push({ path: ['admin', 'tls', name], message, at: 'value' });
  };
  if (cert !== undefined && key === undefined) {
    say('cert', 'expected admin.tls.key beside it, got none');
  }
  if (key !== undefined && cert === undefined) {
    say('key', 'expected admin.tls.cert beside it, got none');
  }
  if (clientCa !== undefined && cert === undefined && key === undefined) {
    say('clientCa', 'expected admin.tls.cert and admin.tls.key beside it, got none');
  }
  if (clientCa !== undefined && clients.length === 0) {
    say('clientCa', 'expected admin.tls.clients that say what who may do, got none');
  }
  if (clients.length > 0 && clientCa === undefined) {
    say('clients', 'expected admin.tls.clientCa, whose certificates they have, got none');
  }
  const names = clients.flatMap((client) => (client === undefined ? [] : [client.name]));
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) say('clients', `expected each name once, got ${twice} twice`);
  return issues;
}

/** Returns what an operator should know before tokens travel. */
function tlsWarnings({ admin }: Draft): string[] {
  const listen = admin?.listen;
  if (listen === undefined || isLocal(listen) || admin?.tls?.cert !== undefined) return [];
  return [
    `admin.listen is ${printAddress(listen)} without TLS: tokens travel in the clear, so whoever ` +
      'listens in can switch; set admin.tls.cert and admin.tls.key',
  ];
}
