import { isIP } from "node:net";
import { networkInterfaces } from "node:os";

/** What whoever starts a server should know of who can reach it, one sentence for each danger. */
export function dangersOf(at: { host: string; asksForCredential: boolean; encrypted: boolean }): string[] {
  const { host, asksForCredential, encrypted } = at;
  if (isLoopback(host)) return [];
  if (!asksForCredential) {
    return ["open to everybody who can reach it: set API_KEYS_FILE or a JWT setting, or HOST=127.0.0.1 behind a proxy"];
  }
  if (encrypted || !isPublic(host)) return [];
  return [
    "credentials cross a public network unencrypted: set TLS_CERT_FILE and TLS_KEY_FILE, or put a proxy in front",
  ];
}

/** What the limits allow that the machine cannot give. `memoryBytes` is what this process may use. */
export function shortagesOf(limits: {
  historyMemoryBytes: number;
  unreadAnswerBytes: number;
  unsentEventBytes: number;
  waitingFrameBytes: number;
  memoryBytes: number;
}): string[] {
  const { historyMemoryBytes, unreadAnswerBytes, unsentEventBytes, waitingFrameBytes, memoryBytes } = limits;
  if (historyMemoryBytes + unreadAnswerBytes + unsentEventBytes + waitingFrameBytes <= memoryBytes / 2) return [];
  const names = "HISTORY_MEMORY_BYTES, UNREAD_ANSWER_BYTES, UNSENT_EVENT_BYTES and WAITING_FRAME_BYTES";
  return [`${names} are more than half of the memory there is: it may not suffice`];
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/** Whether the host is an address that the internet can reach, or stands for all addresses and one of them is. */
function isPublic(host: string): boolean {
  if (isIP(host) === 0) return false;
  if (host !== "0.0.0.0" && host !== "::") return !isPrivate(host);
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return own.some(({ address, internal }) => !internal && !isPrivate(address));
}

/** Addresses of RFC 1918, RFC 3927, RFC 4193, RFC 4291 §2.5.6 and RFC 6598, which no router of the internet leads to. */
const PRIVATE =
  /^(10\.|127\.|169\.254\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|::1$|fe[89ab]|f[cd])/i;

function isPrivate(address: string): boolean {
  return PRIVATE.test(address);
}
