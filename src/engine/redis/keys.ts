/** The keys and the channel of one topic. All keys share one hash tag, so that a cluster keeps them in one place. */
export type TopicKeys = {
  /** A hash: its epoch, newest number and time, and what else makes up the topic. */
  readonly head: string;
  /** A stream: its newest messages, each under the id `SEQ-0`. */
  readonly stream: string;
  /** A sorted set: ids that were published with `dedupe`, by number. */
  readonly ids: string;
  /** A hash: the subscribers on all nodes, by `client_id`. */
  readonly members: string;
  readonly channel: string;
};

/** What everything is called in Redis. */
export class Keys {
  /** A sorted set: the names of all topics, in the order of their creation. */
  readonly topics: string;
  /** A hash: the life of this data, how many topics were created, and how many subscribers there are. */
  readonly state: string;
  /** A sorted set: nodes by their last sign of life. */
  readonly nodes: string;
  /** The channel that every node hears. */
  readonly control: string;
  readonly #prefix: string;
  readonly #channels: string;

  /** @param database keeps channels apart, which Redis shares between its databases */
  constructor(prefix: string, database: string) {
    this.#prefix = prefix;
    this.#channels = `${prefix}@${database}:`;
    this.topics = `${prefix}topics`;
    this.state = `${prefix}state`;
    this.nodes = `${prefix}nodes`;
    this.control = `${this.#channels}control`;
  }

  topic(name: string): TopicKeys {
    const tag = tagOf(name);
    const key = (kind: string) => `${this.#prefix}${tag}:${kind}`;
    const channel = `${this.#channels}${tag}`;
    return { head: key("head"), stream: key("stream"), ids: key("ids"), members: key("members"), channel };
  }

  /** A hash that expires: what a node shows of itself. */
  node(id: string): string {
    return `${this.#prefix}node:${id}`;
  }

  /** The channel that one node hears. */
  inbox(id: string): string {
    return `${this.#channels}node:${id}`;
  }

  /** Who tidies up after a node that is gone. */
  tidying(id: string): string {
    return `${this.#prefix}tidying:${id}`;
  }
}

/** A hash tag ends at the first brace (Redis cluster specification), so a name's own braces are escaped. */
function tagOf(name: string): string {
  return `{${name.replaceAll(/[%{}]/g, encodeURIComponent)}}`;
}
