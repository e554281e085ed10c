// Fields in which a proxy tells an app who the client is, how it came in, and what it asked for. From a
// client that is no trusted proxy they are lies, or would be believed as if they were none. The list
// follows what frameworks, app servers and common middleware read; docs/security.md shows it.

/** Begins of names; each name that goes on behind one is a claim. */
export const CLAIM_PREFIXES: readonly string[] = [
  // Rack, Spring, Symfony, Werkzeug, ASP.NET, oauth2-proxy, Envoy: each reads some of these.
  'x-forwarded-',
  // WebSphere takes address, scheme and user from them.
  '$ws',
  // The certificate of the client: HAProxy, OpenShift, ingress-nginx, Keycloak, load balancers of AWS and
  // Google.
  'x-ssl-',
  'ssl-client-',
  'x-client-cert-',
  'x-amzn-mtls-',
];

/** Whole names. */
export const CLAIM_NAMES: readonly string[] = [
  // The address of the client.
  'x-forwarded',
  'forwarded-for',
  'forwarded-for-ip',
  'x-real-ip',
  'client-ip',
  'x-client-ip',
  'true-client-ip',
  'x-cluster-client-ip',
  'x-original-for',
  'x-originating-ip',
  'x-remote-ip',
  'x-remote-addr',
  'x-proxyuser-ip',
  'proxy-client-ip',
  'wl-proxy-client-ip',
  'cf-connecting-ip',
  'cf-connecting-ipv6',
  'cf-pseudo-ipv4',
  'fastly-client-ip',
  'fly-client-ip',
  'do-connecting-ip',
  'incap-client-ip',
  'x-azure-clientip',
  'x-azure-socketip',
  'x-appengine-user-ip',
  // That it spoke TLS, and with which certificate (RFC 9440 §3 asks that they are removed).
  'front-end-https',
  'x-scheme',
  'x-url-scheme',
  'x-original-proto',
  'x-proxied-https',
  'x-arr-ssl',
  'wl-proxy-ssl',
  'client-cert',
  'client-cert-chain',
  'x-client-cert',
  'x-arr-clientcert',
  // Which host, path and method it asked for.
  'x-host',
  'x-http-host-override',
  'x-original-host',
  'x-original-method',
  'x-original-uri',
  'x-original-url',
  'x-rewrite-url',
  'x-script-name',
  // App servers take these for what the server itself says (CGI, WSGI).
  'script-name',
  'path-info',
  // Programs that a CGI app starts would send their requests through it (httpoxy).
  'proxy',
];
