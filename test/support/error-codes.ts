import { ERRORS, type ErrorCode } from "../../src/protocol/codes.ts";

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERRORS, text);
}
