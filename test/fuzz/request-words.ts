/** What requests are broken with: words that mean something to a parser, and borders. */

const words = (text: string) => text.split(" ");

export const METHODS = [...words("GET HEAD POST PUT DELETE PATCH OPTIONS TRACE PROPFIND FOO get CONNECT"), "", "G T"];

/** For a path or a query. */
export const PIECES = [
  ...words("% %4 %41 %00 %0a %ff %c3 %c3%a9 %2f %2e%2e %ed%a0%80 / // /.. /. ? # ; \\ + é * : @ http://x/"),
  ...[" ", "\x7f", "\xc3\xa9", "\xf0\x9f\x98\x80", "x".repeat(300), "y".repeat(9000)],
];

export const PARAMETERS = words(
  "last_n since until epoch client_id queue overflow limit after access_token __proto__ unknown ",
);
export const VALUES = [
  ...words(" 0 1 -1 1.5 1e3 999999999999999 x:1 :1 x: latest disconnect null %ff %00 é %F0%9F%98%80"),
  ...["9".repeat(30), "a".repeat(300)],
];

export const FIELDS = [
  ...words("Host Connection Origin Sec-Fetch-Site Sec-Fetch-Mode Last-Event-ID If-Match If-None-Match Accept Range TE"),
  ...words("Authorization X-API-Key X-Forwarded-For Forwarded Expect Upgrade Sec-WebSocket-Key Sec-WebSocket-Version"),
  ...words("Sec-WebSocket-Protocol Sec-WebSocket-Extensions Content-Encoding Content-Type Trailer Cookie X __proto__"),
  ...words("Access-Control-Request-Headers Access-Control-Request-Method constructor"),
];
export const FIELD_VALUES = [
  ...words(' * "x" a,b x:1 : 0:0 é null 127.0.0.1 ::1 [::1]:0 %00 http:// http://x https://[ file: http://127.0.0.1'),
  ...words("cross-site navigate websocket upgrade keep-alive 13 dGhlIHNhbXBsZSBub25jZQ== gzip identity GZIP trailers"),
  ...["Bearer", "Bearer ", "Bearer a.b.c", "Bearer a b", "Basic eDp5", "bytes=0-1", "close, upgrade", "100-continue"],
  ...[" ", "\t", "\x01", "\xff\xfe", "\x80", "\xc3\xa9", "v".repeat(3000), "w".repeat(20_000)],
];

/** For a length or a coding. */
export const CODINGS = [...words("chunked identity 0 5 -1 0x5 +5 5,5 "), "gzip, chunked", "9".repeat(25)];
