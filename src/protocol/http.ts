import { z } from "zod";
import { describe } from "./frames.ts";
import { nameSchema } from "./names.ts";

/** A topic's name as a path or a body gives it. */
export const topicName = nameSchema("'name'", "Missing 'name'");

/** The body of `POST /topics`. */
export const createTopicBody = z.object(
  { name: topicName },
  { error: ({ input }) => `The body must be a JSON object, not ${describe(input)}` },
);
