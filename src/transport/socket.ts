import type { ServerWebSocket } from "bun";

type Sender = Pick<ServerWebSocket<unknown>, "sendText">;

/** The part of Bun's socket that a peer needs. */
export type Socket = Sender & { readonly data: { port?: number | undefined; address?: string | undefined } } & {
  cork<T>(write: (socket: Sender) => T): T;
} & Pick<
    ServerWebSocket<unknown>,
    | "getBufferedAmount"
    | "ping"
    | "subscribe"
    | "unsubscribe"
    | "pause"
    | "resume"
    | "readyState"
    | "remoteAddress"
    | "terminate"
    | "close"
  >;
