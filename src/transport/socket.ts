import type { ServerWebSocket } from "bun";
import type { Sent } from "../ops/metrics.ts";

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

/** Sends a frame, and counts its bytes. Returns the status that Bun gives: the bytes if the kernel took them, 0 or -1 if not. */
export function sendText(socket: Sender, text: string, sent: Sent): number {
  const status = socket.sendText(text);
  sent.websocket += status > 0 ? status : Buffer.byteLength(text);
  return status;
}
