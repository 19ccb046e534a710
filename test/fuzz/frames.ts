import { decode } from "../../src/protocol/decode.ts";
import { ID } from "../support/client.ts";
import type { TestCredentials } from "../support/credentials.ts";
import { ENGINES, startGuardedServer, startTestServer, type TestServer } from "../support/server.ts";
import { encodeClientFrame } from "../support/websocket-frames.ts";
import { frameInputs, TOPICS, type FrameInput } from "./frame-inputs.ts";
import { isSilent, isValid } from "./frame-rules.ts";
import type { Target, World } from "./fuzz.ts";
import { memberOf } from "./json.ts";
import { Talk, type Received } from "./talk.ts";
import { Witness } from "./witness.ts";

/** Queues so large that who reads loses nothing, and no pings that a broken frame could stand in the middle of. */
const ENV = { TOPICS: `healthy,${TOPICS.join(",")}`, MAX_SUBSCRIBER_QUEUE: "10000", HEARTBEAT_INTERVAL_MS: "0" };

/** How long a frame whose length is broken may wait for the rest of it, in milliseconds. */
const QUIET_MS = 20;

type Guests = { publisher: Talk; healthy: Talk; witness: Witness };

/** A server with a healthy publisher and subscriber, and a witness of all that the inputs publish. */
class FrameWorld implements World<FrameInput> {
  readonly #server: TestServer;
  /** The fields of the upgrade. */
  readonly #fields: string;
  readonly #guests: Guests;
  #published = 0;

  private constructor(server: TestServer, fields: string, guests: Guests) {
    this.#server = server;
    this.#fields = fields;
    this.#guests = guests;
  }

  static async open(server: TestServer, fields = ""): Promise<FrameWorld> {
    const talk = () => Talk.open(server.port, fields);
    const healthy = await talk();
    await healthy.send({ type: "subscribe", topic: "healthy", client_id: "healthy one" });
    await healthy.until(() => healthy.received.length === 1);
    healthy.received.length = 0;
    const witness = await Witness.subscribe(await talk(), TOPICS);
    return new FrameWorld(server, fields, { publisher: await talk(), healthy, witness });
  }

  /** Sends the inputs at once, a ping behind each: what comes between two pongs is the answer. */
  async run(inputs: readonly FrameInput[]): Promise<string[]> {
    using talk = await Talk.open(this.#server.port, this.#fields);
    const { witness } = this.#guests;
    const before = this.#published;
    await this.#publishHealthy();
    const sent = inputs.map(({ bytes }, index) => Buffer.concat([bytes, encodeClientFrame(fence(index))]));
    const living = inputs.filter(({ fate }) => fate === "lives").length;
    await talk.write(Buffer.concat(sent.slice(0, living)));
    const outcomes: string[] = [];
    for (const [index, input] of inputs.entries()) {
      const { fate, shown } = input;
      // A connection that ends leaves requests under way without an answer, so this one waits for those before it.
      if (fate !== "lives") await talk.write(sent[index] ?? Buffer.alloc(0));
      const at = () => talk.received.findIndex(({ frame }) => frame.request_id === FENCE + index);
      const reached = await talk.until(() => at() >= 0, fate === "open" ? QUIET_MS : undefined);
      const answers = talk.received.splice(0, reached ? at() + 1 : talk.received.length).filter(isAnswer);
      const fault = answers.find(({ frame }) => frame.error?.code === "INTERNAL");
      if (fault !== undefined) throw new Error(`${fault.text} answers ${shown}`);
      if (fate === "lives") {
        if (!reached) throw new Error(`No pong behind it, closed ${JSON.stringify(talk.close)}: ${shown}`);
        outcomes.push(judged(input, answers, witness));
      } else if (fate === "ends" && (reached || !talk.ended)) {
        throw new Error(`The connection lives: ${shown}`);
      } else outcomes.push(reached ? "answered" : talk.ended ? "connection ended" : "waits for more");
    }
    await this.#publishHealthy();
    await this.#checkHealthy(before);
    await witness.check();
    const [line] = this.#server.lines;
    if (line !== undefined) throw new Error(`The log says ${line}`);
    return outcomes;
  }

  async #publishHealthy(): Promise<void> {
    const message = { id: ID, payload: ++this.#published };
    await this.#guests.publisher.send({ type: "publish", topic: "healthy", message });
  }

  /** Waits until all that was published since `before` is acknowledged and has come. */
  async #checkHealthy(before: number): Promise<void> {
    const { publisher, healthy } = this.#guests;
    const count = this.#published - before;
    for (const talk of [publisher, healthy]) await talk.until(() => talk.received.length >= count);
    const events = healthy.received.splice(0);
    const came = events.map(({ frame, text }) => (frame.type === "event" ? frame.message.payload : text));
    const due = Array.from({ length: count }, (_, index) => before + 1 + index);
    if (!Bun.deepEquals(came, due)) throw new Error(`In place of ${due} the healthy subscriber has ${came}`);
    const refused = publisher.received.splice(0).find(({ frame }) => frame.type !== "ack");
    if (refused !== undefined) throw new Error(`The healthy publisher is told ${refused.text}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { publisher, healthy, witness } = this.#guests;
    for (const talk of [publisher, healthy, witness.talk]) talk[Symbol.dispose]();
    await this.#server.stop();
  }
}

const FENCE = "fence ";

function fence(index: number): string {
  return JSON.stringify({ type: "ping", request_id: FENCE + index });
}

/** Whether a frame answers an input: neither an event nor a notice, nor the pong that comes last. */
function isAnswer({ frame }: Received): boolean {
  const isFence = typeof frame.request_id === "string" && frame.request_id.startsWith(FENCE);
  return frame.type !== "event" && frame.type !== "info" && frame.error?.code !== "SLOW_CONSUMER" && !isFence;
}

/** Checks what answers a text, and names it. */
function judged({ text, tree, shown }: FrameInput, answers: readonly Received[], witness: Witness): string {
  const value = parsed(text);
  const valid = isValid(value);
  if (text !== undefined && decode(text).ok !== valid) throw new Error(`decode takes it for ${!valid}: ${shown}`);
  const [answer, ...others] = answers;
  if (answer === undefined && valid && isSilent(value)) return "no ack asked for";
  if (answer === undefined || others.length > 0) throw new Error(`${answers.length} answers: ${shown}`);
  const { frame, text: answered } = answer;
  const id = /^\{"type":"\w+",(?:"request_id":("(?:[^"\\]|\\.)*"|[^,]*),)?/.exec(answered)?.[1];
  const written = memberOf(tree, "request_id");
  const due = requestId(value);
  const isSame = id === undefined ? due === undefined : Object.is(JSON.parse(id), due);
  if (!isSame || (id !== undefined && tree !== undefined && id !== written)) {
    throw new Error(`${answered} does not have the request_id of ${shown}`);
  }
  if (valid && isSilent(value) && frame.type === "ack")
    throw new Error(`${answered} answers ${shown}, which asks for none`);
  if (!valid && frame.error?.code !== "BAD_REQUEST") throw new Error(`${answered} answers ${shown}`);
  if (valid && frame.type === "ack" && value["type"] === "publish") {
    const { topic, seq = 0, first_seq = seq } = frame;
    witness.note(value, tree, { topic: topic ?? "", first: first_seq, count: seq - first_seq + 1 });
  }
  return frame.error?.code ?? frame.type;
}

function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function requestId(frame: unknown): unknown {
  if (typeof frame !== "object" || frame === null || !("request_id" in frame)) return undefined;
  const { request_id: id } = frame;
  return typeof id === "string" || typeof id === "number" ? id : undefined;
}

/** Frames to a server that is open, guarded, or whose engine answers late. */
export function framesTarget(credentials: TestCredentials): Target<FrameInput> {
  let tokens: string[] = [];
  return {
    name: "frames",
    variants: ["open", "guarded", "late"],
    open: async (variant) => {
      const { all } = credentials;
      const token = await credentials.token({}, all);
      tokens = [
        token,
        await credentials.token(),
        await credentials.signed(),
        ...Object.values(await credentials.bad()),
      ];
      if (variant === "guarded") {
        const server = await startGuardedServer({ ...ENV, ...credentials.env });
        return FrameWorld.open(server, `Authorization: Bearer ${token}\r\n`);
      }
      const [engine, auto] = variant === "late" ? [ENGINES["that answers late"], "true"] : [undefined, "false"];
      return FrameWorld.open(startTestServer({ ...ENV, AUTO_CREATE_TOPICS: auto }, engine));
    },
    make: (random) => frameInputs(random, tokens),
  };
}
