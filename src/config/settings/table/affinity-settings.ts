// Settings of sessions: whether one stays on its release, how long it lasts, the cookie it is kept in.

import { choice, duration, matching, text } from '../kinds/row.ts';

export const AFFINITY_SETTINGS = {
  mode: choice({
    of: ['off', 'drain', 'strict'],
    fallback: 'drain',
    isCommon: true,
    doc: 'Whether a session stays on its release after a switch: no; while that can serve; always.',
    why: 'a switch must not log users out; without sessions on the server, turn it off',
  }),
  idle: duration({
    fallback: '30m',
    min: '1s',
    max: '7d',
    doc: 'A session that was not seen for this long has ended.',
    why: 'as long as most apps keep a login without a click',
  }),
  life: duration({
    fallback: '24h',
    min: '1s',
    max: '30d',
    doc: 'A session that is older than this has ended, however busy it is.',
    why: 'no session should be on a release of last week',
  }),
  cookie: text({
    fallback: '',
    allowed: 'letters, digits, _ and - (at most 40), or empty',
    parse: matching(/^[\w-]{0,40}$/, {
      charsMax: 40,
      expected: 'a name of letters, digits, _ and - (at most 40)',
    }),
    doc: 'Name of the cookie; over TLS it gets the prefix __Host- (or __Secure- with a path).',
    why: 'empty: turnout-INSTANCE for the service default, turnout-INSTANCE-SERVICE for any other',
  }),
  path: text({
    fallback: '/',
    allowed: 'a path of at most 1024 characters, without ;',
    parse: matching(/^\/[!-:<-~]{0,1023}$/, { charsMax: 1_024, expected: 'a path such as /shop' }),
    doc: 'Path of the cookie, as requests arrive here: others are given no session.',
    why: 'the whole site is one session',
  }),
  sameSite: choice({
    of: ['lax', 'strict', 'none'],
    fallback: 'lax',
    doc: 'Requests from other sites that bring the cookie: page loads by GET, none, all. Browsers keep a cookie with none only over HTTPS.',
    why: 'links to the site keep the session; a login form that another site posts back (SAML, form_post) needs none',
  }),
} as const;
