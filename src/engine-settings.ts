import { z } from "zod";
import { boolean, engine, file, integer } from "./setting-kinds.ts";

/** The settings of the engine. @param pendingBytes the default for what waits for Redis */
export function engineSettings(pendingBytes: number) {
  return {
    engine: engine(
      "where messages get their order: memory, or the address of a Redis or Valkey that several nodes share",
    ),
    enginePrefix: z
      .string()
      .regex(/^[!-z|~]{0,100}$/, "must be up to 100 visible ASCII characters without braces")
      .prefault("pubsub:")
      .meta({ help: "what all keys and channels in Redis begin with", default: "pubsub:" }),
    engineTimeoutMs: integer(
      2000,
      100,
      600_000,
      "how long Redis may take to answer; requests wait that long for it to come back, and are refused at once after that",
    ),
    enginePendingBytes: integer(
      pendingBytes,
      65_536,
      1_099_511_627_776,
      "memory for all messages that wait for Redis",
      "a sixteenth of the memory there is, 67108864 at the most",
    ),
    engineCaFile: file(
      "file with the certificates that a rediss:// server may be signed by, PEM, in place of the usual ones",
    ),
    reusePort: boolean(false, "let several processes of this machine share the port; needs an ENGINE that they share"),
  };
}
