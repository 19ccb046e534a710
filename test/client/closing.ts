/**
 * A client that is closed at some moment, in a process that must then end by itself: a timer or a socket that is left keeps
 * it alive. Prints what its promises came to, and how many listeners its signals still have.
 */
import { connect, PubSubError, type ConnectOptions } from "../../src/client/index.ts";

const [moment = "", url = ""] = process.argv.slice(2);
const tick = (ms = 50) => new Promise((resolve) => setTimeout(resolve, ms));
const never = new Promise<string>(() => {});
const errors: string[] = [];
const signal = new AbortController().signal;
let listeners = 0;
const { addEventListener, removeEventListener } = signal;
signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
  listeners++;
  addEventListener.apply(signal, args);
};
signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
  listeners--;
  removeEventListener.apply(signal, args);
};

const outcome = (promise: Promise<unknown>) =>
  promise.then(
    () => "resolved",
    (cause: unknown) => (cause instanceof PubSubError ? cause.code : String(cause)),
  );

function open(options: ConnectOptions = {}) {
  const onError = (cause: unknown) => errors.push(String(cause));
  const client = connect<Record<string, number>>(url, { signal, onError, ...options });
  const subscription = client.subscribe("t", { signal, repair: true, onEvent: () => {}, since: "other:1" });
  const publishing = outcome(client.publish("t", 1, { signal }));
  return { client, subscription, publishing };
}

/** Closes at the moment that was asked for. */
async function run() {
  let asked = 0;
  const options: Record<string, ConnectOptions> = {
    "while Redis is away": { backoff: { firstMs: 3_600_000, mostMs: 3_600_000 } },
    "while its first token is fetched": { token: () => never },
    "while its token is renewed": {
      token: () => (asked++ === 0 ? (process.argv[4] ?? "") : never),
    },
  };
  const { client, subscription, publishing } = open(options[moment]);
  if (moment === "while it repairs") {
    // The reader asks for what is missing, and the server of history is away.
    globalThis.fetch = Object.assign(() => Promise.reject(new Error("away")), { preconnect: () => {} });
    const gaps = client.subscribe("u", { signal, repair: true, queue: 1, onEvent: () => {} });
    while (gaps.state !== "live") await tick(5);
    await client.publishBatch("u", [{ payload: 1 }, { payload: 2 }, { payload: 3 }]);
  }
  if (moment === "at once") await client.close();
  if (moment === "while its token is renewed") while (asked < 2) await tick(5);
  if (moment === "while it flushes") while (client.state !== "connected") await tick(5);
  if (moment === "once it is connected") await client.flush();
  if (moment === "while Redis is away") while (errors.length === 0) await tick(5);
  await tick();
  const flushing = outcome(client.flush());
  const before = client.state;
  await client.close();
  await client.close();
  return {
    before,
    state: client.state,
    publishing: await publishing,
    flushing: await flushing,
    subscription: subscription.state,
    closed: (await client.closed)?.code ?? null,
    listeners,
    errors,
  };
}

process.stdout.write(JSON.stringify(await run()));
