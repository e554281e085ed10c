// Requests and responses that tests of exchanges use.

export const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
export const POST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n';
export const PUT = POST.replace('POST', 'PUT');
export const UPGRADE =
  'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';
export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
export const HALF = 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf';
export const SWITCHING =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';
export const EVENTS =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
