// The settings of where clients come in: addresses, TLS with its certificates, the PROXY protocol, and
// certificates that an ACME authority gives.

import { accept, refuse, type Parsed } from '../../../base/parsed.ts';
import { parseListen } from '../../values/address.ts';
import { parseCertificateName, parseRange } from '../../values/grammar.ts';
import { parseHttpsUrl } from '../../values/http-url.ts';
import { portOf } from '../../values/host-name.ts';
import { fileRow, requiredFileRow } from '../kinds/endpoint-rows.ts';
import { entries, entriesOrOne, part } from '../kinds/entries-row.ts';
import { choice, list, matching, optional, required, text, toggle } from '../kinds/row.ts';

/** Listeners at most: each is a socket in every worker, and has certificates of its own. */
const LISTENERS_MAX = 16;
/** Certificates of one listener at most: each worker makes a context of each. */
const CERTIFICATES_MAX = 256;

const address = text({
  fallback: '0.0.0.0:8080',
  allowed: 'host:port, :port, port, [ipv6]:port or unix:/path',
  parse: (raw) => parseListen(raw, '0.0.0.0'),
  json: { type: ['string', 'integer'] },
  isCommon: true,
  doc: 'Where clients come in; port 0 takes a free one.',
  why: 'what is for all addresses of this machine is said by :port',
});

const CERT_WORDS = {
  doc: 'Certificate chain as PEM, its own certificate first; read again when the file changes.',
  why: 'a listener without a certificate speaks no TLS',
};
const KEY_WORDS = {
  doc: 'Private key of that certificate as PEM.',
  why: 'it belongs to the certificate',
};

const tls = {
  certificates: entries({
    noun: 'certificates',
    countMax: CERTIFICATES_MAX,
    of: { cert: requiredFileRow(CERT_WORDS), key: requiredFileRow(KEY_WORDS) },
    doc: 'What the listener presents, each for the names that stand in it; the first one also where none fits.',
    why: 'only the operator has them',
  }),
  acme: toggle({
    fallback: false,
    doc: 'Whether it presents the certificates that acme obtains, too.',
    why: 'an authority is asked for nothing that was not named',
  }),
  minVersion: optional(
    text({
      fallback: undefined,
      allowed: '1.2, 1.3',
      parse: parseTlsVersion,
      json: { enum: ['1.2', '1.3', 1.2, 1.3] },
      doc: 'The oldest version of TLS that clients may speak.',
      why: 'some clients that are not browsers have no TLS 1.3, and 1.2 with these ciphers is sound (RFC 9325)',
    }),
    '1.2',
  ),
  unknownNames: optional(
    choice({
      of: ['default', 'refuse'],
      fallback: 'default',
      doc: 'What a client gets that names no host of a certificate: the first certificate, or no connection.',
      why: 'health checks and old clients name none',
    }),
    'default',
  ),
  clientCa: fileRow({
    doc: 'Authorities whose client certificates are accepted, as PEM.',
    why: 'most sites know their users by other means',
  }),
  clients: optional(
    choice({
      of: ['required', 'optional'],
      fallback: 'required',
      doc: 'Whether a client needs a certificate of clientCa, or may go without.',
      why: 'both are meant by some; a guess would lock clients out, or let them in',
    }),
    'must be set beside clientCa',
  ),
} as const;

const proxyProtocol = {
  from: list({
    noun: 'ranges',
    countMin: 1,
    countMax: 256,
    allowed: 'IP addresses and CIDR ranges',
    parse: parseRange,
    doc: 'Balancers that begin each connection with a PROXY header; connections from elsewhere are closed. On a Unix socket every connection begins with one.',
    why: 'a client that could write the header could say any address',
  }),
} as const;

export const LISTEN = entriesOrOne({
  noun: 'sections with an address',
  countMin: 1,
  countMax: LISTENERS_MAX,
  key: 'address',
  row: address,
  of: {
    address: required(address),
    tls: part(tls),
    proxyProtocol: part(proxyProtocol),
    redirect: text({
      fallback: false,
      allowed: 'true, false, or the port of https',
      parse: parseRedirect,
      json: { type: ['boolean', 'integer'] },
      doc: 'All that comes in here is sent on to https, with 308: true for the port of the first address with TLS.',
      why: 'an address is for traffic unless said otherwise',
    }),
  },
  doc: 'Where traffic comes in; port 0 takes a free one. Several addresses, and TLS, are said by a list.',
  why: 'a port that needs no privilege, on every address, as a container expects',
});

/** Where one address is for traffic, it need not be written as a list. */
export const TLS_SETTINGS = {
  cert: fileRow({ ...CERT_WORDS, isCommon: true }),
  key: fileRow({ ...KEY_WORDS, isCommon: true }),
} as const;

export const ACME_SETTINGS = {
  domains: list({
    noun: 'names',
    countMax: 100,
    allowed: 'names such as shop.example.com, without *',
    parse: parseCertificateName,
    flag: 'acme-domain',
    isCommon: true,
    doc: 'Names that certificates are obtained for and renewed, one certificate for each.',
    why: 'without any, no authority is asked',
  }),
  email: optional(
    text({
      fallback: '',
      allowed: 'an address such as ops@example.com',
      parse: matching(/^[!-?A-~]+@[!-?A-~]+$/, {
        charsMax: 254,
        expected: 'an address such as ops@example.com',
      }),
      doc: 'Where the authority writes to.',
      why: 'no authority needs it',
    }),
    'none',
  ),
  ca: text({
    fallback: 'https://acme-v02.api.letsencrypt.org/directory',
    allowed: 'an https: URL of at most 2048 characters, without user and fragment',
    parse: parseHttpsUrl,
    doc: 'The directory of the authority (RFC 8555).',
    why: 'what most browsers know, and what costs nothing',
  }),
  challenge: choice({
    of: ['tls-alpn-01', 'http-01'],
    fallback: 'tls-alpn-01',
    doc: 'How it sees that the names lead here: by a handshake on port 443, or by a request on port 80.',
    why: 'it needs no second address',
  }),
  caFile: fileRow({
    doc: 'Authorities (PEM) that may have signed the certificate of the directory itself.',
    why: 'those of the system know the public ones',
  }),
  eab: {
    keyId: optional(
      text({
        fallback: '',
        allowed: 'up to 256 visible characters',
        parse: matching(/^[!-~]+$/, { charsMax: 256, expected: 'up to 256 visible characters' }),
        doc: 'Key id of the account that you have at the authority (external account binding).',
        why: 'some authorities need it, such as ZeroSSL and Google; most know no accounts but those of ACME',
      }),
      'none',
    ),
    hmacKeyFile: fileRow({
      doc: 'File with the HMAC key that belongs to it, as the authority shows it (base64url).',
      why: 'a secret in the configuration would be in every copy of it',
    }),
  },
} as const;

function parseTlsVersion(raw: unknown): Parsed<'1.2' | '1.3'> {
  const given = typeof raw === 'number' ? String(raw) : raw;
  return given === '1.2' || given === '1.3' ? accept(given) : refuse('one of 1.2, 1.3', raw);
}

/** `true`: the port is that of another listener. */
function parseRedirect(raw: unknown): Parsed<boolean | number> {
  if (typeof raw === 'boolean') return accept(raw);
  const port = typeof raw === 'number' ? portOf(String(raw), 1) : undefined;
  return port === undefined ? refuse('true, false or a port from 1 to 65535', raw) : accept(port);
}
