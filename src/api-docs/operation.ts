import type { z } from "zod";
import type { AnswerCode } from "../protocol/codes.ts";

/** What a request over HTTP is, for the documents. Its path has `:name` where a topic's name stands. */
export type Operation = {
  /** `GET /topics`, say: the key of its answer in `ANSWERS`, if that is JSON. */
  route: string;
  id: string;
  summary: string;
  /** What it needs where the server asks for credentials. */
  needs: "nothing" | "credential" | "publish" | "subscribe" | "admin";
  query?: z.ZodObject<Record<string, z.ZodType>>;
  /** Header fields that it looks at, and what they are. */
  headers?: Readonly<Record<string, string>>;
  body?: { schema: z.ZodType; examples: readonly unknown[] };
  answer: Answer;
  /** Errors besides those that any request may have. */
  errors: readonly AnswerCode[];
};

export type Answer = {
  status: number;
  description: string;
  /** JSON by this schema, or a text of this type. */
  content?: { schema: z.ZodType; example: unknown } | { type: string; example?: string };
};

export function json(status: number, description: string, schema: z.ZodType, example: unknown): Answer {
  return { status, description, content: { schema, example } };
}

export function text(type: string, description: string, example?: string): Answer {
  return { status: 200, description, content: { type, ...(example !== undefined && { example }) } };
}
