import { EventStreamParser, type ReceivedEvent } from "./event-stream.ts";
import { parseStreamFrame, type Frame } from "./frames.ts";
import { ResponseReader } from "./http-response.ts";

/** What a stream can be asked for: the query, and the position to resume from. */
export type StreamRequest = {
  topic: string;
  query?: Readonly<Record<string, string>>;
  lastEventId?: string | undefined;
  method?: string;
  headers?: Readonly<Record<string, string>>;
};

/** The text of the request that opens a stream. */
export function streamRequest({ topic, query = {}, lastEventId, method = "GET", headers = {} }: StreamRequest): string {
  const path = `/topics/${encodeURIComponent(topic)}/events?${new URLSearchParams(query)}`;
  const resume = lastEventId === undefined ? {} : { "Last-Event-ID": lastEventId };
  const fields = Object.entries({ Host: "127.0.0.1", Accept: "text/event-stream", ...resume, ...headers });
  return `${method} ${path} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}

export type StreamListener = { event(frame: Frame, event: ReceivedEvent): void; comment(): void };

/**
 * Reads the answer to a {@link streamRequest}: an event stream, or the text of what was answered instead. Each frame of
 * the stream is checked against its schema.
 */
export class StreamResponse {
  readonly response: ResponseReader;
  /** The body, where it is no event stream. */
  body = "";

  constructor({ event, comment }: StreamListener) {
    const parser = new EventStreamParser();
    let comments = 0;
    this.response = new ResponseReader((bytes) => {
      if (this.response.headers.get("content-type") !== "text/event-stream") {
        this.body += bytes.toString();
        return;
      }
      for (const received of parser.push(bytes)) event(parseStreamFrame(received), received);
      for (; comments < parser.comments.length; comments++) comment();
    });
  }
}
