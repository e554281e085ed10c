// The parts of a running Turnout and how they know each other. Starts nothing but what a part starts
// by itself, and decides nothing.

import type { Config } from '../config/config.ts';
import { addressOfListener, type ListenAddress } from '../contract/worker-settings.ts';
import type { Blueprint } from './daemon-blueprint.ts';
import { buildClock, buildFreezes } from './daemon-clock.ts';
import { buildNews, type NewsTellers } from './daemon-news.ts';
import { AcmeFiles } from './acme/acme-files.ts';
import { AcmeOrders } from './acme/acme-orders.ts';
import { DrainWatch, servedBefore } from './switching/drain-watch.ts';
import { Failover } from './automation/failover.ts';
import type { FreezeWindows } from './freezes/calendar.ts';
import { FreezeWatch } from './freezes/watch.ts';
import { Health } from './targets/health.ts';
import { listenerFds } from './listening/inheritance.ts';
import { dnsClient } from './targets/dns.ts';
import { Names } from './targets/names.ts';
import { signedPost } from './notifications/signed-post.ts';
import { Outages } from './targets/outages.ts';
import { namesFirst, together } from './publishing/table-holders.ts';
import { mayLeadTo } from './targets/may-lead-to.ts';
import { ownAmong, ownPlaces, type Listeners } from './targets/own-places.ts';
import { placeFinder, type FindPlaces } from './targets/places.ts';
import { proberWithin } from './targets/probe.ts';
import { targetConnector } from './targets/target-connection.ts';
import { Ejections, servingOf } from './targets/ejections.ts';
import { RefusalWatch } from './targets/refusal-watch.ts';
import { timers } from './base/timers.ts';
import { Recent } from './memory/recent.ts';
import { gateHands, type GateHands } from './daemon-gates.ts';
import { buildRollouts } from './daemon-rollouts.ts';
import type { RolloutDesk } from './rollouts/desk/desk.ts';
import type { SeriesWatch } from './rollouts/watching/series-watch.ts';
import type { Rollouts } from './rollouts/running/runner.ts';
import { RolloutTally, type RolloutMetrics } from './memory/rollout-tally.ts';
import { ShadowReports } from './gates/shadow-report.ts';
import { KeyRing } from './workers/signing-keys.ts';
import { Scheduler } from './schedule/scheduler.ts';
import { spotCheck, type SpotCheck } from './switching/checks/spot-check.ts';
import type { HealthOf } from './switching/checks/switch-check.ts';
import { Switchboard } from './switching/switchboard.ts';
import { WORKER_ENTRY, Workers } from './workers/workers.ts';

export interface Parts extends Blueprint, NewsTellers {
  readonly acmeOrders: AcmeOrders;
  readonly askNow: SpotCheck;
  readonly findPlaces: FindPlaces;
  readonly listeners: Listeners;
  readonly workers: Workers;
  readonly names: Names;
  readonly health: Health;
  readonly switchboard: Switchboard;
  readonly drains: DrainWatch;
  readonly failover: Failover;
  readonly outages: Outages;
  readonly recent: Recent;
  readonly refusals: RefusalWatch;
  readonly ejections: Ejections;
  readonly keyRing: KeyRing;
  readonly hands: GateHands;
  readonly rolloutRunner: Rollouts;
  readonly rolloutSeries: SeriesWatch;
  readonly rollouts: RolloutDesk;
  /** What copies of requests have shown; gates ask it. */
  readonly rolloutMetrics: RolloutMetrics;
  readonly freezeWindows: FreezeWindows;
  readonly freezeWatch: FreezeWatch;
  readonly scheduler: Scheduler;
  /** Stands in the names of cookies. */
  readonly instance: string;
  /** Where operators come in; the real port is added once it is known. */
  readonly adminAddresses: ListenAddress[];
}

/** Builds them around what the start has found; nothing runs yet. */
export function buildParts(blueprint: Blueprint): Parts {
  const { config, live, log, memory, totals, slots, store, table, options } = blueprint;
  const { inheritance, predecessor } = blueprint;
  const inherited = listenerFds(inheritance, config.dataPlane.listeners);
  const keyRing = new KeyRing(config.state.dir, log, (keys) => workers.standing.useKeys(keys));
  const instance = config.instance === '' ? keyRing.instance : config.instance;
  const workers = new Workers({
    count: workerCount(config),
    settings: config.dataPlane,
    memory,
    keys: keyRing.keys,
    instance,
    inherited,
    log,
    entry: options.workerEntry ?? WORKER_ENTRY,
  });
  const acmeOrders = new AcmeOrders({
    settings: config.acme,
    files: new AcmeFiles(config.state.dir, log),
    keeper: blueprint.certificateKeeper,
    log,
  });
  const adminAddresses = [config.admin.listen, config.metrics.listen].filter(
    (address) => address !== undefined,
  );
  const listeners: Listeners = () => [
    ...workers.listeners.map(addressOfListener),
    ...adminAddresses,
  ];
  const isOurs = ownPlaces(listeners);
  const dns = dnsClient(config.resolve.servers);
  const names = new Names({
    configOf: (name) => live.service(name)?.resolve,
    dns,
    slots,
    isOurs,
    mayLeadTo: (name, place) => mayLeadTo(name, place, live.config.targets.allow),
    workers: workers.standing,
    onChange: () => {
      health.lookAgain();
      outages.look();
    },
    timers,
    log,
  });
  const health = new Health({
    table,
    configOf: (name) => live.service(name)?.health,
    names,
    memory,
    log,
    prober: proberWithin(() => live.config.targets.allow, blueprint.certificateKeeper.targetTls),
    onChange: (change) => {
      outages.look();
      failover.look();
      news.liveParts.news.healthChanged(change);
    },
  });
  const leftBehind = (): number | undefined =>
    predecessor === undefined ? 0 : predecessor.connections;
  predecessor?.onKnown((known) => {
    health.believe(known.health);
    names.believe(known.names);
    if (known.tickets !== undefined) blueprint.certificateKeeper.inherit(known.tickets);
  });
  const askNow = spotCheck({
    prober: proberWithin(() => live.config.targets.allow, blueprint.certificateKeeper.targetTls),
    configOf: (name) => live.service(name),
    names,
    table: () => switchboard.table,
    now: () => performance.now(),
  });
  const system = dnsClient([]);
  const findPlaces = placeFinder({ dns, system, names, timers });
  const healthOf: HealthOf = (endpoint) => health.of(endpoint);
  const freezes = buildFreezes(live);
  const switchboard = new Switchboard({
    first: table,
    memory,
    store,
    workers: namesFirst(
      names,
      predecessor === undefined ? workers : together([workers, predecessor]),
    ),
    slots,
    totals,
    names,
    leftBehind,
    nameRunning: async (blocks, max) => workers.running(blocks, max),
    configs: () => live.config.services,
    health: healthOf,
    findPlaces,
    oursAmong: async (targets) => ownAmong(targets, listeners, findPlaces),
    targetsAllow: () => live.config.targets.allow,
    spotCheck: askNow,
    freezesOf: (service) => freezes.calendar.of(service),
    migrations: {
      namesOf: (service) => hands.migrations.namesOf(service),
      ask: async (asked, signal) => hands.migrations.ask(asked, signal),
    },
    log,
    onPublished: (next) => {
      names.follow(next);
      health.follow(next);
      drains.follow(next);
      outages.look();
      news.tellOf(next);
      options.onChange?.();
    },
  });
  const drains = new DrainWatch({
    board: switchboard,
    totals,
    names,
    leftBehind,
    servedBefore: servedBefore(blueprint.storedBefore.services.values()),
    log,
  });
  const eyes = { health, totals, store, now: () => performance.now() };
  const failover = new Failover({
    ...eyes,
    board: switchboard,
    configOf: (name) => live.service(name),
    log,
  });
  const clock = buildClock({
    ...freezes,
    board: switchboard,
    store,
    tokens: blueprint.tokens,
    rollouts: () => moving.rollouts,
    news: () => news.liveParts.news,
    onTold: () => news.feed.look(),
    log,
  });
  const outages = new Outages({
    table: () => switchboard.table,
    health,
    names,
    checkMove: (service) => switchboard.checkMove(service),
    isInCharge: () => switchboard.refusal === undefined || switchboard.refusal.code === 'frozen',
    log,
  });
  const recent = new Recent({ totals, table: () => switchboard.table });
  const shadowReports = new ShadowReports({
    shadowing: switchboard.shadowing,
    differences: workers.shadowDifferences,
    nowMs: () => performance.now(),
  });
  const hands = gateHands({
    connect: targetConnector(blueprint.certificateKeeper.targetTls),
    table: () => switchboard.table,
    names,
    configOf: (name) => live.service(name),
    targetsAllow: () => live.config.targets.allow,
    stateDir: config.state.dir,
    post: signedPost({ isOurs, dns }),
    dns,
    isOurs,
    environment: options.command?.environment ?? {},
    shadows: shadowReports,
  });
  const { rolloutMetrics, ...moving } = buildRollouts({
    board: switchboard,
    store,
    totals,
    recent,
    health: healthOf,
    serving: (endpoint) => servingOf(health.of(endpoint), ejections),
    drains: { totals, names, leftBehind },
    configs: () => live.config.services,
    hands,
    onTold: () => news.feed.look(),
    tally: new RolloutTally(),
    log,
  });
  const news = buildNews({
    live,
    instance,
    table: () => switchboard.table,
    first: table,
    storedBefore: blueprint.storedBefore,
    totals,
    recent,
    rolloutMetrics,
    rolloutView: (id) => moving.rollouts.storedView(id),
    store,
    isOurs,
    // Names of receivers are looked up as any program of this machine does it.
    dns: system,
    environment: options.command?.environment ?? {},
    log,
  });
  const refusals = new RefusalWatch({ table: () => switchboard.table, names, totals, timers });
  const ejections = new Ejections({
    ...eyes,
    table: () => switchboard.table,
    names,
    configOf: (name) => live.service(name)?.ejection,
    timers,
    log,
  });
  const running = {
    acmeOrders,
    askNow,
    findPlaces,
    listeners,
    workers,
    names,
    health,
    switchboard,
    drains,
    failover,
    outages,
    recent,
    refusals,
    ejections,
    keyRing,
    hands,
    rolloutMetrics,
    ...moving,
    ...news,
    freezeWindows: freezes.freezeWindows,
    ...clock,
  };
  return { ...blueprint, ...running, instance, adminAddresses };
}

/** Where an address cannot be shared between threads, one worker listens. */
export function workerCount({ workers, dataPlane }: Config): number {
  const hasPort = dataPlane.listeners.some(
    ({ use, address }) => use !== 'preview' && address.kind === 'tcp',
  );
  return hasPort && process.platform === 'linux' ? workers : 1;
}
