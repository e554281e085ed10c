// The settings of TLS to the targets of one service. There is none that leaves the check out: a target with
// a certificate of its own is believed by naming that as its authority.

import { parseOneHost } from '../../values/grammar.ts';
import { fileRow } from '../kinds/endpoint-rows.ts';
import { optional, text } from '../kinds/row.ts';

export const UPSTREAM_TLS_SETTINGS = {
  ca: fileRow({
    doc: 'Authorities (PEM) that sign for the https:// targets, instead of those of the system.',
    why: 'those of the system are enough for public names; also name here what is signed by itself',
  }),
  cert: fileRow({
    doc: 'Certificate (PEM) that https:// targets are shown when they ask for one.',
    why: 'most targets ask for none',
  }),
  key: fileRow({
    doc: 'Key (PEM) of upstreamTls.cert.',
    why: 'it belongs to the certificate',
  }),
  serverName: optional(
    text({
      fallback: '',
      allowed: 'a host, without port',
      parse: parseOneHost,
      doc: 'Name that the certificates of https:// targets have to be for, and that they are asked for.',
      why: 'targets that are named by their addresses rarely have certificates for them',
    }),
    'the host in the URL of each target',
  ),
} as const;
