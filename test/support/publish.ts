import { publishBody, topicDetail } from "./answers.ts";

/** Publishes messages over HTTP, in one request. */
export async function publish(server: { url: string }, topic: string, payloads: readonly unknown[]) {
  return publishBody(server, topic, { messages: payloads.map((payload) => ({ payload })) });
}

const LARGE = "x".repeat(100_000);

/** Publishes `count` messages of 100 KB. Returns the newest `seq`. */
export async function publishLarge(server: { url: string }, topic: string, count: number): Promise<number> {
  // As many as fit into one request.
  const most = 10;
  let seq = 0;
  for (let left = count; left > 0; left -= most) {
    ({ seq } = await publish(server, topic, Array<string>(Math.min(left, most)).fill(LARGE)));
  }
  return seq;
}

/**
 * Publishes messages of 100 KB until one subscriber, who does not read, has lost `enough` of them or is gone: the kernel
 * takes several megabytes first, and more for one who has read a lot. Returns the newest `seq`.
 */
export async function overwhelm(server: { url: string }, topic: string, clientId: string, enough = 1): Promise<number> {
  const lost = async () => {
    const { subscribers } = await topicDetail(server, topic);
    return subscribers.find(({ client_id }) => client_id === clientId)?.dropped ?? Number.POSITIVE_INFINITY;
  };
  const before = await lost();
  let seq = 0;
  do seq = await publishLarge(server, topic, 10);
  while ((await lost()) < before + enough);
  return seq;
}
