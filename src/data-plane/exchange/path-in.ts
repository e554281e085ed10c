// The path of a request as it is told to people: without its query, where secrets live.

/** Returns the path in the request line `METHOD SP target SP …`, without its query. */
export function pathIn(requestHead: string): string {
  const start = requestHead.indexOf(' ') + 1;
  const end = requestHead.indexOf(' ', start);
  const target = requestHead.slice(start, end);
  const query = target.indexOf('?');
  return query === -1 ? target : target.slice(0, query);
}
