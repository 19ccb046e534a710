/** What protocol/README.md says of a client's frame, written a second time and without its schemas. */

type Fields = { readonly [key: string]: unknown };

const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

const OVERFLOWS: readonly unknown[] = ["drop_oldest", "latest", "disconnect"];

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isAbsent = (value: unknown): value is undefined | null => value === undefined || value === null;
const isCount = (value: unknown, least: number) => Number.isSafeInteger(value) && Number(value) >= least;

function isName(value: unknown): boolean {
  if (typeof value !== "string" || !value.isWellFormed() || value === "") return false;
  return Buffer.byteLength(value) <= 255 && !/[\u0000-\u001f\u007f-\u009f]/.test(value);
}

function isMessage(value: unknown): boolean {
  return (
    isObject(value) && typeof value["id"] === "string" && UUID.test(value["id"]) && Object.hasOwn(value, "payload")
  );
}

function isSince(value: unknown): boolean {
  return isObject(value) && typeof value["epoch"] === "string" && isCount(value["seq"], 0);
}

/** Whether a frame is one that the server must understand. */
export function isValid(frame: unknown): frame is Fields {
  if (!isObject(frame)) return false;
  const { type, topic, client_id, request_id, message, messages, ack, last_n, since, queue, overflow, token } = frame;
  if (!isAbsent(request_id) && typeof request_id !== "string" && typeof request_id !== "number") return false;
  switch (type) {
    case "ping":
      return true;
    case "auth":
      return typeof token === "string" && token !== "";
    case "unsubscribe":
      return isName(topic) && isName(client_id);
    case "subscribe":
      return (
        isName(topic) &&
        isName(client_id) &&
        (isAbsent(last_n) || isCount(last_n, 0)) &&
        (isAbsent(since) || isSince(since)) &&
        (isAbsent(last_n) || isAbsent(since)) &&
        (isAbsent(queue) || isCount(queue, 1)) &&
        (isAbsent(overflow) || OVERFLOWS.includes(overflow))
      );
    case "publish":
      if (!isName(topic) || !(isAbsent(ack) || typeof ack === "boolean")) return false;
      if (isAbsent(messages)) return isMessage(message);
      return isAbsent(message) && Array.isArray(messages) && messages.length > 0 && messages.every(isMessage);
    default:
      return false;
  }
}

/** Whether a valid frame asks for no answer, as long as it succeeds. */
export const isSilent = (frame: Fields) => frame["type"] === "publish" && frame["ack"] === false;
