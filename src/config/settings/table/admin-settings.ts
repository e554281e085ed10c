// The settings of the admin API, of the listener for metrics, and of where targets may lead.

import { parseListen } from '../../values/address.ts';
import { parseClientRule, parseHostName } from '../../values/grammar.ts';
import { parseTargetRule } from '../../values/target-rule.ts';
import { fileRow } from '../kinds/endpoint-rows.ts';
import { list, optional, text } from '../kinds/row.ts';

const LISTEN = 'host:port, :port, port, [ipv6]:port or unix:/path';
export const ADMIN_SETTINGS = {
  listen: text({
    fallback: '127.0.0.1:8081',
    allowed: LISTEN,
    parse: (raw) => parseListen(raw, '127.0.0.1'),
    json: { type: ['string', 'integer'] },
    flag: 'admin',
    isCommon: true,
    doc: 'Where the admin API listens; on another address than loopback it needs tokens or client certificates.',
    why: 'only this machine may switch until an operator lets others do so',
  }),
  hosts: list({
    noun: 'names',
    countMax: 64,
    allowed: 'host names and addresses, without a port',
    parse: parseHostName,
    doc: 'Names under which operators reach the admin API, beside the address it listens on.',
    why: 'a foreign name that points here (DNS rebinding) must not make a web page its own',
  }),
  tls: {
    cert: fileRow({
      doc: 'Certificate chain of the admin API as PEM; read again when the file changes.',
      why: 'on loopback no network is in between; elsewhere tokens would travel in the clear',
    }),
    key: fileRow({
      doc: 'Private key of that certificate as PEM.',
      why: 'it belongs to the certificate',
    }),
    clientCa: fileRow({
      doc: 'Authorities whose client certificates are accepted, as PEM; then every client needs one, or a token.',
      why: 'tokens are enough for most; an installation with its own authority names it',
    }),
    clients: list({
      noun: 'clients',
      countMax: 256,
      allowed: 'NAME=role, where the role is read, switch or admin',
      parse: parseClientRule,
      doc: 'What the holders of client certificates may do: by common name, or by DNS, URI or e-mail name; the first one that fits counts.',
      why: 'an authority that signs for many must not make all of them operators',
    }),
  },
} as const;

export const TARGETS_SETTINGS = {
  allow: list({
    noun: 'rules',
    countMax: 256,
    allowed: 'ranges such as 10.0.0.0/8, names such as app or *.shop.internal, unix:/folder',
    parse: parseTargetRule,
    fallbackText: 'anywhere',
    doc: 'Where targets that are registered may lead, also what a name leads to later.',
    why: 'apps may be anywhere; where tokens are given to teams, it keeps them away from what else this machine reaches',
  }),
} as const;

export const METRICS_SETTINGS = {
  listen: optional(
    text({
      fallback: '',
      allowed: LISTEN,
      parse: (raw) => parseListen(raw, '127.0.0.1'),
      json: { type: ['string', 'integer'] },
      flag: 'metrics',
      doc: 'Second listener with /metrics, /livez and /readyz alone, for every client that reaches it.',
      why: 'a scraper or a probe needs no power to switch, and no token',
    }),
    'none',
  ),
  hosts: list({
    noun: 'names',
    countMax: 64,
    allowed: 'host names and addresses, without a port',
    parse: parseHostName,
    doc: 'Names under which scrapers ask for /metrics there, beside addresses and localhost.',
    why: 'a foreign name that points here (DNS rebinding) must not let a web page read which releases run',
  }),
} as const;
