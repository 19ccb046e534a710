import { z } from "zod";

export type JsonSchema = { readonly [key: string]: unknown };

/** The JSON Schema (draft 2020-12) of what a schema takes. What JSON Schema cannot say, such as "bytes of UTF-8", is left out. */
export function inputSchema(schema: z.ZodType): JsonSchema {
  return withoutDialect(z.toJSONSchema(schema, { unrepresentable: "any", io: "input" }));
}

/** The JSON Schema of what a schema makes, such as the number that a text in a query stands for; that of its text if it makes none. */
export function outputSchema(schema: z.ZodType): JsonSchema {
  const made = withoutDialect(z.toJSONSchema(schema, { unrepresentable: "any", io: "output" }));
  return Object.keys(made).some((key) => key !== "description") ? made : inputSchema(schema);
}

/** The document around it names the dialect. */
function withoutDialect({ $schema: _, ...schema }: JsonSchema): JsonSchema {
  return schema;
}
