// The rows of one request of a gate: what is asked, what must come back, and what is taken from it.

import { parseFieldName, parseFieldValue, parseOwnFieldName } from '../../values/field-name.ts';
import { parseStatusRanges } from '../../values/grammar.ts';
import { parseJsonPathText, parseJsonScalar } from '../../values/json-path.ts';
import { parseTaken, parseTakenName } from '../../values/taken.ts';
import { parseTextPattern } from '../../values/text-pattern.ts';
import { mapping } from '../kinds/entries-row.ts';
import { choice, duration, matching, optional, required, text } from '../kinds/row.ts';

export const SMOKE_REQUEST = {
  method: choice({
    of: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    fallback: 'GET',
    doc: 'Method of the request.',
    why: 'most checks read',
  }),
  path: required(
    text({
      fallback: '',
      allowed: 'a path of at most 1024 characters, with a query or without',
      parse: matching(/^\/[!"$-~]{0,1023}$/, {
        charsMax: 1_024,
        expected: 'a path such as /start',
      }),
      doc: 'What is asked for; `${name}` stands for a value that an earlier request took.',
      why: 'Turnout cannot know which pages count',
    }),
  ),
  fields: mapping({
    noun: 'fields',
    countMax: 32,
    allowed: 'names of fields with their values',
    parseKey: parseOwnFieldName,
    parse: parseFieldValue,
    json: { type: ['string', 'number'] },
    doc: 'Fields of the request; Host is that of the service if none stands here.',
    why: 'a plain request is what a browser begins with',
  }),
  body: text({
    fallback: '',
    allowed: 'at most 65536 characters',
    parse: matching(/^[^]*$/, { charsMax: 65_536, expected: 'a text of at most 65536 characters' }),
    isSecret: true,
    doc: 'Body of the request; a content-type stands in fields.',
    why: 'GET has none',
  }),
  status: text({
    fallback: '200-299',
    allowed: 'statuses and ranges of them between 100 and 599, as 200-299, 404',
    parse: parseStatusRanges,
    json: { type: ['string', 'integer'] },
    doc: 'Statuses of the answer that pass. Redirects are not followed: 302 is one.',
    why: 'a redirect to a login page would pass for success',
  }),
  field: mapping({
    noun: 'fields',
    countMax: 32,
    allowed: 'names of fields with what they must hold',
    parseKey: parseFieldName,
    parse: parseTextPattern,
    json: { type: ['string', 'number'] },
    doc: 'What fields of the answer must hold, with * for anything.',
    why: 'the status alone is enough for most',
  }),
  match: optional(
    text({
      fallback: '',
      allowed: 'a text of at most 1024 characters, with * for anything',
      parse: parseTextPattern,
      doc: 'What the first 64 KiB of the body must hold.',
      why: 'the status alone is enough for most',
    }),
    'any body',
  ),
  json: mapping({
    noun: 'paths',
    countMax: 32,
    allowed: 'paths such as $.items[0].id, with the value that must stand there',
    parseKey: parseJsonPathText,
    parse: parseJsonScalar,
    json: {},
    doc: 'Values that the body must hold as JSON.',
    why: 'the status alone is enough for most',
  }),
  within: duration({
    fallback: '0s',
    min: '0s',
    max: '1h',
    doc: 'The whole answer must be there by then; 0: as long as a try takes.',
    why: 'how fast is fast enough differs from page to page',
  }),
  take: mapping({
    noun: 'values',
    countMax: 16,
    allowed: 'names, each with json:$.path or field:name',
    parseKey: parseTakenName,
    parse: parseTaken,
    doc: 'Values of the answer that later requests use as `${name}`.',
    why: 'only a login or an order has something to take',
  }),
} as const;
