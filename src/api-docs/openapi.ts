import type { z } from "zod";
import { ERRORS, ProtocolError, type AnswerCode } from "../protocol/codes.ts";
import { problemOf } from "../protocol/encode.ts";
import { QUERIES } from "../protocol/schema.ts";
import { problemDocument } from "../protocol/sent-schema.ts";
import { inputSchema, outputSchema, type JsonSchema } from "./json-schema.ts";
import type { Operation } from "./operation.ts";
import { OPERATIONS } from "./operations.ts";

/** Errors that every request may have, and those that it may not have if it needs nothing. */
const ANYWHERE: readonly AnswerCode[] = ["BAD_REQUEST", "FORBIDDEN", "INTERNAL"];
const GUARDED: readonly AnswerCode[] = ["UNAUTHORIZED", "LIMIT_EXCEEDED", "SHUTTING_DOWN", "UNAVAILABLE"];

/** What is said of each field of a query. */
const FIELDS: Record<string, string> = {
  last_n: "how many of the newest messages; excludes `since`",
  since: "`EPOCH:SEQ`, or a `SEQ` of the present epoch: what came after it",
  until: "up to this `seq`, included; for use with `since`",
  epoch: "the epoch that is asked for; 410 if it is over",
  client_id: "who the subscriber is, within the topic; a random one if it is left out",
  queue: "how many messages may wait for the subscriber",
  overflow: "what happens when more of them would wait",
  access_token: "a JWT, for those who can set no header",
  limit: "how many subscribers",
  after: "those whose `client_id` comes after this one",
};

/** The HTTP API as an OpenAPI 3.1 document, made of the schemas that check its traffic. */
export function openApi(version: string): JsonSchema {
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const operation of OPERATIONS) {
    const [method = "", path = ""] = operation.route.split(" ");
    const at = path.replace(":name", "{name}");
    paths[at] = { ...paths[at], [method.toLowerCase()]: describe(operation) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "inmemory-pubsub",
      version,
      summary: "A real-time pub/sub server that says exactly which messages a slow consumer lost",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    tags: [{ name: "topics" }, { name: "operation" }],
    paths,
    components: {
      schemas: { Problem: inputSchema(problemDocument) },
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", description: "an API key or a JSON Web Token" },
        apiKey: { type: "apiKey", in: "header", name: "X-API-Key" },
      },
    },
  };
}

function describe(operation: Operation): JsonSchema {
  const { route, id, summary, needs, query = QUERIES.none, headers = {}, body, answer, errors } = operation;
  const isOpen = needs === "nothing";
  const named = route.includes(":name") ? [TOPIC] : [];
  const shape: Record<string, z.ZodType> = query.shape;
  const fields = Object.entries(shape).map(([name, schema]) => ({
    name,
    in: "query",
    description: FIELDS[name],
    // `?field=` counts as absent.
    schema: { anyOf: [outputSchema(schema), { type: "string", maxLength: 0 }] },
  }));
  const inHeader = Object.entries(headers).map(([name, description]) => {
    return { name, in: "header", description, schema: { type: "string" } };
  });
  const parameters = [...named, ...fields, ...inHeader];
  const codes = [...errors, ...ANYWHERE, ...(isOpen ? [] : GUARDED)];
  return {
    operationId: id,
    summary,
    tags: [route.includes("/topics") ? "topics" : "operation"],
    // Nobody needs a credential where the server asks for none.
    security: isOpen ? [] : [{}, { bearer: [] }, { apiKey: [] }],
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: bodyOf(body) }),
    responses: { [answer.status]: contentOf(operation), ...problems(codes) },
  };
}

const TOPIC = {
  name: "name",
  in: "path",
  required: true,
  description: "the topic's name, percent-encoded: 1 to 255 bytes of UTF-8 without control characters",
  schema: { type: "string", minLength: 1 },
  example: "news",
};

function bodyOf({ schema, examples }: NonNullable<Operation["body"]>): JsonSchema {
  const named = examples.map((value, index) => [`example${index + 1}`, { value }]);
  return {
    required: true,
    content: { "application/json": { schema: inputSchema(schema), examples: Object.fromEntries(named) } },
  };
}

function contentOf({ answer: { description, content } }: Operation): JsonSchema {
  if (content === undefined) return { description };
  if ("schema" in content) {
    const { schema, example } = content;
    return { description, content: { "application/json": { schema: inputSchema(schema), example } } };
  }
  const { type, example } = content;
  // Tools read a stream as events, and no schema of one value fits those.
  const schema = type === "text/event-stream" ? {} : { type: type === "application/json" ? "object" : "string" };
  return { description, content: { [type]: { schema, ...(example !== undefined && { example }) } } };
}

/** The problem documents of some codes, by status. */
function problems(codes: readonly AnswerCode[]): Record<string, JsonSchema> {
  const byStatus = Map.groupBy(codes, (code) => ERRORS[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, same]) => {
      const examples = same.map((code) => [code, { value: problemOf(new ProtocolError(code, ERRORS[code].title)) }]);
      const schema = { $ref: "#/components/schemas/Problem" };
      return [
        String(status),
        {
          description: same.join(", "),
          content: { "application/problem+json": { schema, examples: Object.fromEntries(examples) } },
        },
      ];
    }),
  );
}
