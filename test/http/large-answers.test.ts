import { describe, expect, test } from "bun:test";
import { LargeAnswers, type Watched } from "../../src/http/large-answers.ts";
import { AnswerBudget } from "../../src/ops/answer-budget.ts";
import { ProtocolError } from "../../src/protocol/codes.ts";

const LIMIT = 10_000;
const HEADERS = { "content-type": "text/plain" };

/** Answers of `limit` bytes, of which Bun forgets those that were read. */
function setUp(limit = LIMIT) {
  const budget = new AnswerBudget(limit);
  const answers = new LargeAnswers(budget);
  const read = new Set<Request>();
  const patience = new Map<Request, number>();
  const bun: Watched = {
    timeout: (request, seconds) => void patience.set(request, seconds),
    requestIP: (request) => (read.has(request) ? null : { address: "127.0.0.1", port: 1, family: "IPv4" }),
  };
  const ask = (text: string) => {
    const request = new Request("http://server/");
    answers.checkRoom(bun, text.length);
    return { request, response: answers.answer(request, bun, text, HEADERS) };
  };
  const errorOf = (text: string): ProtocolError => {
    const { used } = budget;
    try {
      ask(text);
    } catch (cause) {
      expect(budget.used).toBe(used);
      if (cause instanceof ProtocolError) return cause;
      throw cause;
    }
    throw new Error("It was answered");
  };
  return { budget, answers, read, patience, ask, errorOf };
}

const text = (bytes: number) => "x".repeat(bytes);

describe("a large answer", () => {
  test("is the text with its headers, whose reader may take nothing for a minute", async () => {
    const { ask, patience } = setUp();
    const { request, response } = ask("naïve 😀");
    expect(patience.get(request)).toBe(60);
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/plain"]);
    expect(await response.text()).toBe("naïve 😀");
  });

  test("that was read leaves its room to others than readers of history, who ask for it by the budget alone", () => {
    const { ask, read, budget } = setUp();
    read.add(ask(text(8000)).request);
    budget.take(3000);
    expect(budget.hasRoom(0)).toBe(true);
    expect(budget.used).toBe(3000);
  });

  test("had better be no more than a quarter of the budget", () => {
    expect(setUp().answers.largest).toBe(LIMIT / 4);
  });

  test("counts by its bytes, and a small one by more than those", () => {
    const { ask, budget } = setUp();
    ask("é".repeat(1000));
    expect(budget.used).toBeWithin(2000, 4000);
    const before = budget.used;
    ask("");
    expect(budget.used - before).toBeGreaterThan(100);
  });

  test("is refused where too much waits already, naming the setting and its value", () => {
    const { ask, errorOf } = setUp();
    ask(text(LIMIT / 2));
    const error = errorOf(text(LIMIT / 2));
    expect(error.code).toBe("LIMIT_EXCEEDED");
    expect(error.message).toContain(`UNREAD_ANSWER_BYTES is ${LIMIT}`);
    ask(text(LIMIT / 4));
  });

  test("has room again once others were read, and only as much as those took", () => {
    const { ask, errorOf, read, budget } = setUp();
    const [first, second] = [ask(text(3500)), ask(text(3500))];
    errorOf(text(3500));
    read.add(first.request);
    ask(text(3500));
    errorOf(text(3500));
    read.add(second.request);
    ask(text(3500));
    errorOf(text(1000));
    expect(budget.used).toBeLessThanOrEqual(LIMIT);
  });

  test("gives its room back no more than once", () => {
    const { ask, read, budget } = setUp();
    const requests = [1, 2, 3].map(() => ask(text(1000)).request);
    for (const request of requests) read.add(request);
    for (let i = 0; i < 3; i++) {
      read.add(ask(text(9500)).request);
      expect(budget.used).toBeWithin(9500, 11_000);
    }
  });

  test("of more than the budget is answered where no other waits, also where acks fill it", () => {
    const { ask, errorOf, read, budget } = setUp();
    const { request } = ask(text(2 * LIMIT));
    errorOf(text(1));
    read.add(request);
    budget.take(LIMIT);
    ask(text(1));
    errorOf(text(1));
  });
});
