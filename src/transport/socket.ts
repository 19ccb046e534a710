import type { ServerWebSocket } from "bun";
import type { Sent } from "../ops/metrics.ts";

/** What `send` returns for a frame that waits in user space, because the kernel takes no more. */
export const ENQUEUED = -1;

type Sender = Pick<ServerWebSocket<unknown>, "sendText">;

/** What is known of a client from its handshake. */
export type Handshake = { port: number | undefined; address: string | undefined; traceparent: string | undefined };

/** The part of Bun's socket that a peer needs. */
export type Socket = Sender & { readonly data: Partial<Handshake> } & {
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
