import type { Server } from "bun";
import type { Clock } from "../ops/clock.ts";
import type { Logger } from "../ops/logger.ts";
import { CLOSE, type Close } from "../protocol/codes.ts";
import { encodeNotice } from "../protocol/encode.ts";

/** The topic of Bun's own publish that every WebSocket is subscribed to; clients' topics are not Bun's. */
export const HEARTBEAT_TOPIC = "heartbeat";

/** Heartbeats that may pass without a sign of life before a connection counts as dead. */
const MISSES = 2;

/** A connection that the heartbeat looks after. */
export interface Patient {
  /** Joins or leaves {@link HEARTBEAT_TOPIC}, which only a WebSocket can. */
  listen(on: boolean): void;
  /**
   * The heartbeat during which it last gave a sign of life: a frame, a pong, or bytes taken off its backlog. None is
   * waited for once it is being closed.
   */
  readonly seen: number;
  /** Sends heartbeat number `beat` in the transport's own way. */
  ping(beat: number): void;
  close(close: Close): void;
}

/**
 * Sends `info` `ping` to every WebSocket each `intervalMs`, and closes those that have been silent for three of them.
 *
 * Bun's idle timeout cannot tell them: each publish starts it anew.
 */
export class Heartbeat {
  readonly #intervalMs: number;
  readonly #clock: Clock;
  readonly #log: Logger;
  #timer: ReturnType<typeof setInterval> | undefined;
  #beat = 0;

  constructor(intervalMs: number, clock: Clock, log: Logger) {
    this.#intervalMs = intervalMs;
    this.#clock = clock;
    this.#log = log;
  }

  get enabled(): boolean {
    return this.#intervalMs > 0;
  }

  /** The number of heartbeats so far: the only clock that signs of life are told by. */
  get beat(): number {
    return this.#beat;
  }

  start(server: Pick<Server<unknown>, "publish">, patients: Iterable<Patient>): void {
    if (!this.enabled) return;
    this.#timer = setInterval(() => {
      try {
        this.#tick(server, patients);
      } catch (cause) {
        this.#log.error("fault in the heartbeat", { cause });
      }
    }, this.#intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(server: Pick<Server<unknown>, "publish">, patients: Iterable<Patient>): void {
    const dead = [...patients].filter(({ seen }) => this.#beat - seen >= MISSES);
    for (const patient of dead) patient.close(CLOSE.noSignOfLife);
    if (dead.length > 0) this.#log.info("closed connections without a sign of life", { connections: dead.length });
    this.#beat++;
    // Nobody stays subscribed between heartbeats: for one who is, Bun keeps more memory and makes every send dearer.
    for (const patient of patients) patient.listen(true);
    server.publish(HEARTBEAT_TOPIC, encodeNotice({ type: "info", msg: "ping" }, this.#clock.iso()), false);
    for (const patient of patients) {
      patient.listen(false);
      patient.ping(this.#beat);
    }
  }
}
