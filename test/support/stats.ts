import { topicDetail } from "./answers.ts";

/** Every sample of `GET /metrics`, by its name and labels as they are written. */
export async function metrics(server: { url: string }): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(samples.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]));
}

/** Waits until `holds`, however long that takes: the test's own time is the limit. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await Bun.sleep(5);
}

/** Waits until neither a subscription nor a connection is left, and no memory but that of the topics' own logs. */
export async function untilNothingIsLeft(server: { url: string }, topics: readonly string[]): Promise<void> {
  let logs = 0;
  for (const topic of topics) logs += (await topicDetail(server, topic)).history.bytes;
  const left = {
    pubsub_subscriptions: 0,
    'pubsub_connections{transport="websocket"}': 0,
    'pubsub_connections{transport="sse"}': 0,
    pubsub_history_bytes: logs,
  };
  await until(async () => {
    const found = await metrics(server);
    return Object.entries(left).every(([name, value]) => found.get(name) === value);
  });
}
