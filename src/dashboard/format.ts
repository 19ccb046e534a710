/** Numbers and times, as people read them. */
const WHOLE = new Intl.NumberFormat("en");
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const TENTHS = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** `1,042` */
export function count(value: number): string {
  return WHOLE.format(value);
}

/** `1.2M` where there is little room. */
export function short(value: number): string {
  return value < 10_000 ? WHOLE.format(value) : COMPACT.format(value);
}

/** A number a second. */
export function rate(value: number | undefined): string {
  if (value === undefined) return "–";
  if (value >= 10_000) return COMPACT.format(value);
  return value >= 10 ? WHOLE.format(Math.round(value)) : TENTHS.format(value);
}

/** `1.5 MiB` */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  return `${TENTHS.format(value / 1024 ** power)} ${units[power] ?? ""}`;
}

/** `3 h 20 min` */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `14:03:22`, the reader's own time, of seconds since 1970. */
export function clock(seconds: number): string {
  const date = new Date(seconds * 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
}

/** `14:03:22.120` */
export function time(iso: string): string {
  const ms = Date.parse(iso);
  return `${clock(ms / 1000)}.${String(ms % 1000).padStart(3, "0")}`;
}

/** `1 message`, `2 messages` */
export function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** The name of a transport, as its own people write it. */
export function transport(name: string): string {
  return name === "websocket" ? "WebSocket" : name.toUpperCase();
}

/** `queue_full` as `queue full` */
export function words(code: string): string {
  return code.replaceAll("_", " ");
}
