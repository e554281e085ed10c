// Settings of failover: when traffic leaves a color by itself.

import { choice, duration } from '../kinds/row.ts';

export const FAILOVER_SETTINGS = {
  mode: choice({
    of: ['off', 'auto'],
    fallback: 'off',
    doc: 'Whether traffic goes to the other color by itself when the active one is down.',
    why: 'the other color may run a release that must not come back; turn this on where it is kept fit',
  }),
  after: duration({
    fallback: '10s',
    min: '1s',
    max: '1h',
    doc: 'All targets of the active color must be down for this long without a break.',
    why: 'a restart of the app should move no traffic',
  }),
  pause: duration({
    fallback: '5m',
    min: '1s',
    max: '7d',
    doc: 'From one failover of the service to the next at the least.',
    why: 'two sick colors must not pass the traffic to and fro; in five minutes a person can be there',
  }),
} as const;
