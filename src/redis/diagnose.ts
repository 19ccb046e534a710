import { connect as connectPlain, isIP } from "node:net";
import { connect as connectTls } from "node:tls";

/** Undefined if a connection is not encrypted, else by whom its server may be signed. */
export type Encryption = { readonly ca: string } | true | undefined;

/** Says why a Redis does not let us in. Bun's client does not. @returns a reason that follows "it cannot be reached: " */
export function diagnose(url: string, tls: Encryption, timeoutMs: number): Promise<string> {
  const { hostname, port, username, password } = new URL(url);
  const at = { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 6379) };
  const words = [username, password].map(decodeURIComponent).filter((word) => word !== "");
  const { promise, resolve } = Promise.withResolvers<string>();
  const name = isIP(at.host) === 0 ? { servername: at.host } : {};
  const socket = tls === undefined ? connectPlain(at) : connectTls({ ...at, ...name, ...(tls !== true && tls) });
  const timer = setTimeout(() => resolve("it does not answer"), timeoutMs);
  socket.once(tls === undefined ? "connect" : "secureConnect", () => {
    if (words.length > 0) socket.write(command(["AUTH", ...words]));
    socket.write(command(["PING"]));
  });
  let answer = "";
  socket.on("data", (bytes) => {
    answer += bytes.toString();
    const error = /^-(.*)\r\n/m.exec(answer)?.[1];
    // A server without AUTH repeats what it was sent.
    if (error !== undefined) resolve(error.replace(/, with args.*/, ""));
    else if (answer.includes("+PONG")) resolve("the connection was closed");
  });
  // Not its message, which says by which system call, and is another each time.
  socket.once("error", (cause) => resolve("code" in cause ? String(cause.code) : cause.message));
  socket.once("close", () => resolve("it closed the connection"));
  return promise.finally(() => {
    clearTimeout(timer);
    socket.destroy();
  });
}

/** A command as Redis reads it (RESP). */
function command(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`;
}
